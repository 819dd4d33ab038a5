//! `/templates`: whole templates and their settings. Their lists are in `template_lists`.
use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use model::{
    Capability, Durability, ENGINE_QUICKJS, ErrorCode, Limits, Resolver, Runtime, Settings, StartupFile, Template,
    TemplateId, TenantId, engine_is_supported,
};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use store::{NewTemplate, TEMPLATE_LIST_MAX, TemplateChange, WholeTemplate};
use uuid::Uuid;

use super::extract::{Json, NAME_BYTES_MAX, Object, PathId, Query, Tenant, required_within};
use super::lists::{self, Part};
use super::template_lists::{self, NewCapability, NewModule, NewStartupFile};
use super::{Answer, created, ok};
use crate::app::App;
use crate::clock;
use crate::fault::Fault;

pub(super) async fn list(State(app): State<Arc<App>>, Tenant(tenant): Tenant, query: Query) -> Answer {
    let wanted = lists::from_start(lists::limit(&query, u32::MAX)?);
    let read = move |wanted| {
        let app = Arc::clone(&app);
        async move { Ok(Part::of(app.store.templates(tenant, wanted).await?, wanted)) }
    };
    lists::answer(read(wanted).await?, read)
}

/// A template as one document: what `GET .../export` answers, and `POST /templates` takes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateTemplate")]
pub(super) struct Create {
    /// Unique.
    #[schemars(required, length(min = 1, max = 256), regex(pattern = r"\S"))]
    name: Option<String>,
    /// `quickjs`, or `goja`, which runs on it as well.
    #[schemars(extend("enum" = ["quickjs", "goja", "", null]))]
    engine: Option<String>,
    is_active: Option<bool>,
    /// Names of native modules, or entries with their grants. The only list of grants.
    modules: Option<Vec<ModuleEntry>>,
    /// Names of libraries, in the order in which they are evaluated.
    libraries: Option<Vec<String>>,
    startup_files: Option<Vec<Object<NewStartupFile>>>,
    /// Labels. They grant nothing.
    capabilities: Option<Vec<Object<NewCapability>>>,
    settings: Option<Object<SettingsWish>>,
}

/// An entry of `modules`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ModuleEntry {
    Name(String),
    Entry(Object<NewModule>),
}

/// By hand: what serde buffers to try one variant after another can't be JSON that is kept as it is.
impl<'de> Deserialize<'de> for ModuleEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let entry = match json.get().starts_with('"') {
            true => serde_json::from_str(json.get()).map(ModuleEntry::Name),
            false => serde_json::from_str(json.get()).map(ModuleEntry::Entry),
        };
        entry.map_err(|error| D::Error::custom(format!("modules: {error}")))
    }
}

/// Settings that a client names; the others are left as they are.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SettingsChange")]
pub(super) struct SettingsWish {
    limits: Option<Object<LimitsWish>>,
    resolver: Option<Object<ResolverWish>>,
    runtime: Option<Object<RuntimeWish>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LimitsChange")]
struct LimitsWish {
    cpu_ms: Option<u32>,
    wall_ms: Option<u32>,
    mem_mb: Option<u32>,
    max_events: Option<u32>,
    max_output_kb: Option<u32>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ResolverChange")]
struct ResolverWish {
    roots: Option<Vec<String>>,
    extensions: Option<Vec<String>>,
    allow_absolute_repo_imports: Option<bool>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RuntimeChange")]
struct RuntimeWish {
    esm: Option<bool>,
    strict: Option<bool>,
    console: Option<bool>,
    background: Option<bool>,
    durability: Option<Durability>,
}

impl SettingsWish {
    fn applied_to(self, settings: Settings) -> Settings {
        let Settings { limits, resolver, runtime } = settings;
        let limits_wish = self.limits.unwrap_or_default().0;
        let resolver_wish = self.resolver.unwrap_or_default().0;
        let runtime_wish = self.runtime.unwrap_or_default().0;
        Settings {
            limits: Limits {
                cpu_ms: limits_wish.cpu_ms.unwrap_or(limits.cpu_ms),
                wall_ms: limits_wish.wall_ms.unwrap_or(limits.wall_ms),
                mem_mb: limits_wish.mem_mb.unwrap_or(limits.mem_mb),
                max_events: limits_wish.max_events.unwrap_or(limits.max_events),
                max_output_kb: limits_wish.max_output_kb.unwrap_or(limits.max_output_kb),
            },
            resolver: Resolver {
                roots: resolver_wish.roots.unwrap_or(resolver.roots),
                extensions: resolver_wish.extensions.unwrap_or(resolver.extensions),
                allow_absolute_repo_imports: resolver_wish
                    .allow_absolute_repo_imports
                    .unwrap_or(resolver.allow_absolute_repo_imports),
            },
            runtime: Runtime {
                esm: runtime_wish.esm.unwrap_or(runtime.esm),
                strict: runtime_wish.strict.unwrap_or(runtime.strict),
                console: runtime_wish.console.unwrap_or(runtime.console),
                background: runtime_wish.background.unwrap_or(runtime.background),
                durability: runtime_wish.durability.unwrap_or(runtime.durability),
            },
        }
    }
}

pub(super) async fn create(State(app): State<Arc<App>>, Tenant(tenant): Tenant, Json(body): Json<Create>) -> Answer {
    let id = TemplateId::from(Uuid::now_v7());
    let name = required_within(body.name, "name", NAME_BYTES_MAX)?;
    let engine = body.engine.filter(|engine| !engine.is_empty()).unwrap_or_else(|| ENGINE_QUICKJS.to_owned());
    if !engine_is_supported(&engine) {
        let message = "Engine is not supported: use 'quickjs' ('goja' is accepted and runs on it)";
        return Err(Fault::new(ErrorCode::EngineUnsupported, message).with("engine", engine));
    }
    let module = |entry| {
        let NewModule { name, config } = match entry {
            ModuleEntry::Name(name) => NewModule { name: Some(name), config: None },
            ModuleEntry::Entry(Object(entry)) => entry,
        };
        template_lists::grant(&app, name.as_deref().unwrap_or(""), config)
    };
    let modules = all(body.modules, "modules", module)?;
    let libraries = all(body.libraries, "libraries", |name| template_lists::library(&name))?;
    // A template that is not made has no id.
    let startup_file = |Object(file): Object<NewStartupFile>| file.checked(id, |fault| fault);
    let startup_files = all(body.startup_files, "startup_files", startup_file)?;
    let capabilities = all(body.capabilities, "capabilities", |Object(new)| new.checked(id))?;
    let twice = |what: &str| Fault::new(ErrorCode::AlreadyExists, format!("{what} is there twice"));
    distinct(startup_files.iter().map(|file: &StartupFile| file.path.as_str()), |path| {
        twice("A startup file").with("path", path)
    })?;
    distinct(capabilities.iter().map(|c: &Capability| (c.kind.as_str(), c.name.as_str())), |(kind, name)| {
        twice("A capability").with("kind", kind).with("name", name)
    })?;
    let ceiling = app.config.ceiling;
    let defaults = Settings { limits: Limits::default().at_most(&ceiling), ..Settings::default() };
    let settings = body.settings.unwrap_or_default().0.applied_to(defaults);
    settings.check(&ceiling).map_err(|error| Fault::validation(format!("settings.{error}")))?;
    let is_active = body.is_active.unwrap_or(true);
    let created_at = clock::now();
    let new = NewTemplate {
        id,
        name,
        engine,
        is_active,
        modules,
        libraries,
        startup_files,
        capabilities,
        settings,
        created_at,
    };
    insert(&app, tenant, new).await
}

/// Each entry, checked; a list longer than it may be is refused before that.
fn all<T, U>(list: Option<Vec<T>>, name: &str, check: impl FnMut(T) -> Result<U, Fault>) -> Result<Vec<U>, Fault> {
    let list = list.unwrap_or_default();
    if list.len() > TEMPLATE_LIST_MAX as usize {
        return Err(Fault::validation(format!("{name} has more than {TEMPLATE_LIST_MAX} entries")));
    }
    list.into_iter().map(check).collect()
}

fn distinct<T: Copy + Eq + std::hash::Hash>(
    items: impl Iterator<Item = T>,
    twice: impl Fn(T) -> Fault,
) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for item in items {
        if !seen.insert(item) {
            return Err(twice(item));
        }
    }
    Ok(())
}

async fn insert(app: &App, tenant: TenantId, new: NewTemplate) -> Answer {
    let name = new.name.clone();
    match app.store.create_template(tenant, new).await {
        Ok(template) => created(&template),
        Err(error) => Err(unless_taken(error, &name)),
    }
}

fn unless_taken(error: store::Error, name: &str) -> Fault {
    match error {
        store::Error::AlreadyExists => {
            Fault::new(ErrorCode::AlreadyExists, "A template of that name exists").with("name", name)
        }
        error => error.into(),
    }
}

/// A template with all that belongs to it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TemplateDetail")]
pub(super) struct Whole {
    template: Template,
    settings: SettingsObject,
    /// Labels of old clients; they grant nothing.
    capabilities: Vec<Capability>,
    startup_files: Vec<StartupFile>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TemplateSettings")]
pub(super) struct SettingsObject {
    vm_id: TemplateId,
    #[serde(flatten)]
    settings: Settings,
}

pub(super) async fn whole(app: &App, tenant: TenantId, id: TemplateId) -> Result<Arc<WholeTemplate>, Fault> {
    app.store.whole_template(tenant, id).await?.ok_or_else(|| Fault::template_not_found(id))
}

/// A template that sessions can be made from.
pub(super) async fn usable(app: &App, tenant: TenantId, id: TemplateId) -> Result<Arc<WholeTemplate>, Fault> {
    let whole = whole(app, tenant, id).await?;
    if !whole.template.is_active {
        let message = "The template is not active: PATCH it with {\"is_active\":true} to make sessions from it";
        return Err(Fault::new(ErrorCode::TemplateInactive, message).with("template_id", id));
    }
    Ok(whole)
}

pub(super) async fn get(State(app): State<Arc<App>>, Tenant(tenant): Tenant, PathId(id): PathId<TemplateId>) -> Answer {
    let WholeTemplate { template, settings, startup_files, capabilities, .. } =
        Arc::unwrap_or_clone(whole(&app, tenant, id).await?);
    ok(&Whole { template, settings: SettingsObject { vm_id: id, settings }, capabilities, startup_files })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChangeTemplate")]
pub(super) struct Change {
    name: Option<String>,
    /// An inactive template starts no sessions; those that live go on.
    is_active: Option<bool>,
}

pub(super) async fn change(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    Json(body): Json<Change>,
) -> Answer {
    let name = body.name.map(|name| required_within(Some(name), "name", NAME_BYTES_MAX)).transpose()?;
    let wanted = name.clone().unwrap_or_default();
    let change = TemplateChange { name, is_active: body.is_active };
    let changed = app.store.change_template(tenant, id, change, clock::now()).await;
    ok(&changed.map_err(|error| unless_taken(error, &wanted))?.ok_or_else(|| Fault::template_not_found(id))?)
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TemplateDeleted")]
pub(super) struct Deleted {
    status: &'static str,
    template_id: TemplateId,
}

/// Of a template that is not there as well.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
) -> Answer {
    app.store.delete_template(tenant, id).await?;
    ok(&Deleted { status: "ok", template_id: id })
}

pub(super) async fn settings(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
) -> Answer {
    let (_, settings) = app.store.template(tenant, id).await?.ok_or_else(|| Fault::template_not_found(id))?;
    ok(&SettingsObject { vm_id: id, settings })
}

/// Sessions that live keep the settings they began with.
pub(super) async fn change_settings(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    Json(wish): Json<SettingsWish>,
) -> Answer {
    let ceiling = app.config.ceiling;
    let change = move |settings| {
        let settings = wish.applied_to(settings);
        settings.check(&ceiling).map(|()| settings)
    };
    let changed = app.store.change_settings(tenant, id, clock::now(), change).await?;
    let settings = changed.ok_or_else(|| Fault::template_not_found(id))?;
    let settings = settings.map_err(|error| Fault::validation(error.to_string()))?;
    ok(&SettingsObject { vm_id: id, settings })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CloneTemplate")]
pub(super) struct Clone {
    #[schemars(required, length(min = 1, max = 256), regex(pattern = r"\S"))]
    name: Option<String>,
}

/// A copy under another name, with everything that belongs to it.
pub(super) async fn clone(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    Json(body): Json<Clone>,
) -> Answer {
    let name = required_within(body.name, "name", NAME_BYTES_MAX)?;
    let WholeTemplate { template, settings, grants, startup_files, capabilities } =
        Arc::unwrap_or_clone(whole(&app, tenant, id).await?);
    let copy = TemplateId::from(Uuid::now_v7());
    let file = |file: StartupFile| StartupFile { id: Uuid::now_v7().into(), vm_id: copy, ..file };
    let capability = |capability: Capability| Capability { id: Uuid::now_v7().into(), vm_id: copy, ..capability };
    let new = NewTemplate {
        id: copy,
        name,
        engine: template.engine,
        is_active: template.is_active,
        modules: grants,
        libraries: template.libraries,
        startup_files: startup_files.into_iter().map(file).collect(),
        capabilities: capabilities.into_iter().map(capability).collect(),
        settings,
        created_at: clock::now(),
    };
    insert(&app, tenant, new).await
}

/// What `POST /templates` takes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TemplateDocument")]
pub(super) struct Document {
    name: String,
    engine: String,
    is_active: bool,
    modules: Vec<model::Grant>,
    libraries: Vec<model::LibraryName>,
    startup_files: Vec<template_lists::StartupFileDocument>,
    capabilities: Vec<template_lists::CapabilityDocument>,
    settings: Settings,
}

pub(super) async fn export(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
) -> Answer {
    let WholeTemplate { template, settings, grants, startup_files, capabilities } =
        Arc::unwrap_or_clone(whole(&app, tenant, id).await?);
    ok(&Document {
        name: template.name,
        engine: template.engine,
        is_active: template.is_active,
        modules: grants,
        libraries: template.libraries,
        startup_files: startup_files.into_iter().map(Into::into).collect(),
        capabilities: capabilities.into_iter().map(Into::into).collect(),
        settings,
    })
}
