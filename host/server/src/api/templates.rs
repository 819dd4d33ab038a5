//! `/templates`.
use std::sync::Arc;

use axum::extract::State;
use model::{ENGINE_QUICKJS, ErrorCode, Limits, ModuleName, Settings, Template, TemplateId, engine_is_supported};
use serde::{Deserialize, Serialize};
use store::NewTemplate;
use uuid::Uuid;

use super::extract::{Json, PathId, PathName, Tenant, required};
use super::{Answer, created, ok};
use crate::app::App;
use crate::clock;
use crate::fault::Fault;

pub(super) async fn list(State(app): State<Arc<App>>, Tenant(tenant): Tenant) -> Answer {
    ok(&app.store.templates(tenant).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    name: Option<String>,
    engine: Option<String>,
    modules: Option<Vec<String>>,
    settings: Option<SettingsWish>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsWish {
    limits: Option<LimitsWish>,
}

/// Limits that a client names; the others are left as they are.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsWish {
    cpu_ms: Option<u32>,
    wall_ms: Option<u32>,
    mem_mb: Option<u32>,
    max_events: Option<u32>,
    max_output_kb: Option<u32>,
}

impl LimitsWish {
    fn applied_to(self, limits: Limits) -> Limits {
        Limits {
            cpu_ms: self.cpu_ms.unwrap_or(limits.cpu_ms),
            wall_ms: self.wall_ms.unwrap_or(limits.wall_ms),
            mem_mb: self.mem_mb.unwrap_or(limits.mem_mb),
            max_events: self.max_events.unwrap_or(limits.max_events),
            max_output_kb: self.max_output_kb.unwrap_or(limits.max_output_kb),
        }
    }
}

pub(super) async fn create(State(app): State<Arc<App>>, Tenant(tenant): Tenant, Json(body): Json<Create>) -> Answer {
    let name = required(body.name, "name")?;
    let engine = body.engine.filter(|engine| !engine.is_empty()).unwrap_or_else(|| ENGINE_QUICKJS.to_owned());
    if !engine_is_supported(&engine) {
        let message = "Engine is not supported: use 'quickjs' ('goja' is accepted and runs on it)";
        return Err(Fault::new(ErrorCode::EngineUnsupported, message).with("engine", engine));
    }
    let modules = body.modules.unwrap_or_default();
    let modules = modules.iter().map(|raw| judge(&app, raw)).collect::<Result<Vec<_>, _>>()?;
    let limits = body.settings.unwrap_or_default().limits.unwrap_or_default();
    let ceiling = &app.config.ceiling;
    let limits = limits.applied_to(Limits::default().at_most(ceiling));
    limits.check(ceiling).map_err(|error| Fault::validation(format!("settings.limits.{error}")))?;
    let new = NewTemplate {
        id: TemplateId::from(Uuid::now_v7()),
        name,
        engine,
        modules,
        settings: Settings { limits, ..Settings::default() },
        created_at: clock::now(),
    };
    let name = new.name.clone();
    match app.store.create_template(tenant, new).await {
        Ok(template) => created(&template),
        Err(store::Error::AlreadyExists) => {
            Err(Fault::new(ErrorCode::AlreadyExists, "A template of that name exists").with("name", name))
        }
        Err(error) => Err(error.into()),
    }
}

/// A template with all that belongs to it.
#[derive(Serialize)]
struct Whole {
    template: Template,
    settings: SettingsObject,
    /// Labels of old clients; they grant nothing. There is no way to make one yet.
    capabilities: [(); 0],
    /// There is no way to make one yet.
    startup_files: [(); 0],
}

#[derive(Serialize)]
struct SettingsObject {
    vm_id: TemplateId,
    #[serde(flatten)]
    settings: Settings,
}

pub(super) async fn get(State(app): State<Arc<App>>, Tenant(tenant): Tenant, PathId(id): PathId<TemplateId>) -> Answer {
    let (template, settings) = app.store.template(tenant, id).await?.ok_or_else(|| Fault::template_not_found(id))?;
    let settings = SettingsObject { vm_id: id, settings };
    ok(&Whole { template, settings, capabilities: [], startup_files: [] })
}

pub(super) async fn modules(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
) -> Answer {
    let (template, _) = app.store.template(tenant, id).await?.ok_or_else(|| Fault::template_not_found(id))?;
    ok(&template.exposed_modules)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddModule {
    name: Option<String>,
}

#[derive(Serialize)]
struct ModuleAdded {
    template_id: TemplateId,
    name: String,
}

/// The name is judged before the template is looked up, is stored normalised, and is echoed as it was sent.
pub(super) async fn add_module(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    Json(body): Json<AddModule>,
) -> Answer {
    let name = required(body.name, "name")?;
    let module = judge(&app, &name).map_err(|fault| fault.with("template_id", id))?;
    if !app.store.add_template_module(tenant, id, module, clock::now()).await? {
        return Err(Fault::template_not_found(id));
    }
    created(&ModuleAdded { template_id: id, name })
}

#[derive(Serialize)]
struct ModuleRemoved {
    status: &'static str,
    template_id: TemplateId,
    name: String,
}

pub(super) async fn remove_module(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
    PathName(name): PathName,
) -> Answer {
    if !app.store.remove_template_module(tenant, id, name.clone(), clock::now()).await? {
        return Err(Fault::template_not_found(id));
    }
    ok(&ModuleRemoved { status: "ok", template_id: id, name })
}

/// The normalised name of a module that exists.
fn judge(app: &App, raw: &str) -> Result<ModuleName, Fault> {
    let module = app.engine.registry().look_up(raw).map_err(|refusal| Fault::refused(&refusal))?;
    ModuleName::parse(module.name).map_err(Fault::internal)
}
