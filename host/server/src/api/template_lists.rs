//! What belongs to a template: modules with their grants, libraries, startup files, capabilities.
use std::sync::Arc;

use axum::extract::State;
use model::{
    Capability, CapabilityId, CapabilityKind, ErrorCode, Grant, LibraryName, ModuleName, RelPath, StartupFile,
    StartupFileId, StartupMode, TemplateId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::extract::{self, Json, NAME_BYTES_MAX, PathId, PathName, Query, Tenant, required, required_within};
use super::templates::whole;
use super::{Answer, created, ok};
use crate::app::App;
use crate::clock;
use crate::fault::Fault;

/// What a list's change comes to: no such template is its 404.
fn there(changed: Result<bool, store::Error>, id: TemplateId) -> Result<(), Fault> {
    match changed {
        Ok(true) => Ok(()),
        Ok(false) => Err(Fault::template_not_found(id)),
        Err(store::Error::Full) => {
            let message = format!("The template has {} of these already", store::TEMPLATE_LIST_MAX);
            Err(Fault::validation(message).with("template_id", id))
        }
        Err(error) => Err(error.into()),
    }
}

/// A name that was added, as it was sent.
#[derive(Serialize, JsonSchema)]
pub(super) struct NameAdded {
    template_id: TemplateId,
    name: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct NameRemoved {
    status: &'static str,
    template_id: TemplateId,
    name: String,
}

// Modules

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AddModule")]
pub(super) struct NewModule {
    #[schemars(required)]
    pub(super) name: Option<String>,
    /// Its grant, of the module's `grant_schema`.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub(super) config: Option<Box<RawValue>>,
}

/// A module that exists, with a grant of its shape.
pub(super) fn grant(app: &App, raw: &str, config: Option<Box<RawValue>>) -> Result<Grant, Fault> {
    let module = app.engine.registry().look_up(raw).map_err(|refusal| Fault::refused(&refusal))?;
    let config = extract::config(config, "config")?;
    module.check_grant(config.get()).map_err(|why| Fault::validation(format!("config of module {raw}: {why}")))?;
    Ok(Grant { name: ModuleName::parse(module.name).map_err(Fault::internal)?, config })
}

pub(super) async fn modules(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    query: Query,
) -> Answer {
    let whole = whole(&app, tenant, id).await?;
    match query.get("detail") {
        None | Some("false") => ok(&whole.template.exposed_modules),
        Some("true") => ok(&whole.grants),
        Some(_) => Err(Fault::validation("detail must be true or false")),
    }
}

/// The name is judged before the template is looked up, is stored normalised, and is echoed as it was sent.
pub(super) async fn add_module(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    Json(body): Json<NewModule>,
) -> Answer {
    let name = required(body.name, "name")?;
    let grant = grant(&app, &name, body.config).map_err(|fault| fault.with("template_id", id))?;
    there(app.store.add_module(tenant, id, grant, clock::now()).await, id)?;
    created(&NameAdded { template_id: id, name })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SetGrant")]
pub(super) struct SetGrant {
    /// Its grant, of the module's `grant_schema`; `{}` is the module's default.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>", required)]
    config: Option<Box<RawValue>>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct GrantSet {
    template_id: TemplateId,
    #[serde(flatten)]
    grant: Grant,
}

pub(super) async fn set_grant(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    PathName(name): PathName,
    Json(body): Json<SetGrant>,
) -> Answer {
    if body.config.is_none() {
        return Err(Fault::validation("config is required"));
    }
    let grant = grant(&app, &name, body.config).map_err(|fault| fault.with("template_id", id))?;
    match app.store.set_grant(tenant, id, grant.clone(), clock::now()).await? {
        None => Err(Fault::template_not_found(id)),
        Some(false) if !whole(&app, tenant, id).await?.template.exposed_modules.contains(&grant.name) => {
            let refusal = Fault::new(ErrorCode::ModuleNotAllowed, "Module is not allowed for template configuration");
            Err(refusal.with("template_id", id).with("module", name).with("reason", "not_granted"))
        }
        Some(_) => ok(&GrantSet { template_id: id, grant }),
    }
}

pub(super) async fn remove_module(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    PathName(name): PathName,
) -> Answer {
    app.store.remove_module(tenant, id, name.clone(), clock::now()).await?;
    ok(&NameRemoved { status: "ok", template_id: id, name })
}

// Libraries

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AddLibrary")]
pub(super) struct AddLibrary {
    #[schemars(required, regex(pattern = r"^[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]{0,127}$"))]
    name: Option<String>,
}

/// A well-formed name. Whether it is installed matters when a session starts.
pub(super) fn library(raw: &str) -> Result<LibraryName, Fault> {
    LibraryName::parse(raw).map_err(|error| Fault::validation(error.to_string()))
}

pub(super) async fn libraries(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
) -> Answer {
    ok(&whole(&app, tenant, id).await?.template.libraries)
}

pub(super) async fn add_library(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    Json(body): Json<AddLibrary>,
) -> Answer {
    let name = required(body.name, "name")?;
    there(app.store.add_library(tenant, id, library(&name)?, clock::now()).await, id)?;
    created(&NameAdded { template_id: id, name })
}

pub(super) async fn remove_library(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    PathName(name): PathName,
) -> Answer {
    app.store.remove_library(tenant, id, name.clone(), clock::now()).await?;
    ok(&NameRemoved { status: "ok", template_id: id, name })
}

// Startup files

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AddStartupFile")]
pub(super) struct NewStartupFile {
    /// Beneath the worktree.
    #[schemars(required, length(min = 1, max = 4096), regex(pattern = r"\S"))]
    path: Option<String>,
    /// Files run in this order.
    order_index: Option<i64>,
    /// `eval`, a script, or `module`, an ES module.
    #[schemars(extend("enum" = ["eval", "module", "", null]))]
    mode: Option<String>,
}

impl NewStartupFile {
    /// In the contract's order: the path, then the mode. `about` tells a fault which template it is about, where a client
    /// has heard of that.
    pub(super) fn checked(self, template: TemplateId, about: impl Fn(Fault) -> Fault) -> Result<StartupFile, Fault> {
        let path = self.path.filter(|path| !path.is_empty()).ok_or_else(|| Fault::validation("path is required"))?;
        let escapes = |_| about(Fault::new(ErrorCode::InvalidPath, "Path escapes allowed worktree"));
        let path = RelPath::parse(&path).map_err(escapes)?.as_str().to_owned();
        let requested = self.mode.unwrap_or_default();
        let mode = match requested.trim().to_lowercase().as_str() {
            "" => StartupMode::Eval,
            word => StartupMode::parse(word).ok_or_else(|| {
                // The contract's sentence to the letter; `supported_modes` has the rest.
                let message = "Only startup mode 'eval' is currently supported";
                let mut fault = about(Fault::new(ErrorCode::StartupModeUnsupported, message));
                fault.details.insert("requested_mode".to_owned(), requested.clone().into());
                fault.details.insert("supported_modes".to_owned(), vec!["eval", "module"].into());
                fault
            })?,
        };
        let order_index = self.order_index.unwrap_or(0);
        Ok(StartupFile { id: Uuid::now_v7().into(), vm_id: template, path, order_index, mode })
    }
}

/// A startup file in a template's document.
#[derive(Serialize, JsonSchema)]
pub(super) struct StartupFileDocument {
    path: String,
    order_index: i64,
    mode: StartupMode,
}

impl From<StartupFile> for StartupFileDocument {
    fn from(file: StartupFile) -> Self {
        StartupFileDocument { path: file.path, order_index: file.order_index, mode: file.mode }
    }
}

pub(super) async fn startup_files(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
) -> Answer {
    ok(&whole(&app, tenant, id).await?.startup_files)
}

pub(super) async fn add_startup_file(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    Json(body): Json<NewStartupFile>,
) -> Answer {
    let file = body.checked(id, |fault| fault.with("template_id", id))?;
    match app.store.add_startup_file(tenant, file.clone(), clock::now()).await {
        Err(store::Error::AlreadyExists) => {
            let taken = Fault::new(ErrorCode::AlreadyExists, "The template has a startup file of that path");
            Err(taken.with("template_id", id).with("path", file.path))
        }
        added => {
            there(added, id)?;
            created(&file)
        }
    }
}

/// Something of a template that was removed, or was not there.
#[derive(Serialize, JsonSchema)]
pub(super) struct IdRemoved<T> {
    status: &'static str,
    template_id: TemplateId,
    id: T,
}

pub(super) async fn remove_startup_file(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(template_id): PathId<TemplateId>,
    PathId(id): PathId<StartupFileId>,
) -> Answer {
    app.store.remove_startup_file(tenant, template_id, id, clock::now()).await?;
    ok(&IdRemoved { status: "ok", template_id, id })
}

// Capabilities

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AddCapability")]
pub(super) struct NewCapability {
    /// `module`, `global`, `fs`, `net` or `env`.
    #[schemars(required, extend("enum" = ["module", "global", "fs", "net", "env"]))]
    kind: Option<String>,
    #[schemars(required, length(min = 1, max = 256), regex(pattern = r"\S"))]
    name: Option<String>,
    enabled: Option<bool>,
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    config: Option<Box<RawValue>>,
}

impl NewCapability {
    pub(super) fn checked(self, template: TemplateId) -> Result<Capability, Fault> {
        let kind = required(self.kind, "kind")?;
        let name = required_within(self.name, "name", NAME_BYTES_MAX)?;
        let unknown = || Fault::validation("kind must be one of module, global, fs, net, env");
        Ok(Capability {
            id: Uuid::now_v7().into(),
            vm_id: template,
            kind: CapabilityKind::parse(&kind).ok_or_else(unknown)?,
            name,
            enabled: self.enabled.unwrap_or(false),
            config: extract::config(self.config, "config")?,
        })
    }
}

/// A capability in a template's document.
#[derive(Serialize, JsonSchema)]
pub(super) struct CapabilityDocument {
    kind: CapabilityKind,
    name: String,
    enabled: bool,
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    config: Box<RawValue>,
}

impl From<Capability> for CapabilityDocument {
    fn from(Capability { kind, name, enabled, config, .. }: Capability) -> Self {
        CapabilityDocument { kind, name, enabled, config }
    }
}

pub(super) async fn capabilities(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
) -> Answer {
    ok(&whole(&app, tenant, id).await?.capabilities)
}

pub(super) async fn add_capability(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    Json(body): Json<NewCapability>,
) -> Answer {
    let new = body.checked(id)?;
    match app.store.add_capability(tenant, new.clone(), clock::now()).await {
        Err(store::Error::AlreadyExists) => {
            let taken = Fault::new(ErrorCode::AlreadyExists, "The template has a capability of that kind and name");
            Err(taken.with("template_id", id).with("kind", new.kind).with("name", new.name))
        }
        added => {
            there(added, id)?;
            created(&new)
        }
    }
}

pub(super) async fn remove_capability(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(template_id): PathId<TemplateId>,
    PathId(id): PathId<CapabilityId>,
) -> Answer {
    app.store.remove_capability(tenant, template_id, id, clock::now()).await?;
    ok(&IdRemoved { status: "ok", template_id, id })
}
