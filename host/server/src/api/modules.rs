//! `/modules`: what templates may list.
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse as _, Response};
use model::{ErrorCode, TemplateId};
use sandbox::Module;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::extract::{PathId, PathName, Tenant};
use super::{Answer, ok};
use crate::app::App;
use crate::fault::Fault;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Module")]
pub(super) struct ModuleObject {
    name: &'static str,
    version: &'static str,
    /// The WIT interface that an image imports for it; none for a module in JavaScript alone.
    interface: Option<&'static str>,
    docs: &'static str,
    /// Why sessions of this server can't use it: null when they can. Listing it is no error, calling it is.
    unavailable: Option<String>,
    wit: Option<&'static str>,
    /// TypeScript declarations of what `require` answers.
    dts: String,
    /// What it exports that can be called.
    functions: Vec<Function>,
    /// What it bounds, whatever the grant says.
    limits: Vec<Limit>,
    /// JSON Schema of `config`, the module's grant in a template.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    grant_schema: Value,
}

/// A function of a module.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ModuleFunction")]
struct Function {
    name: String,
    /// In TypeScript: `(path: string): boolean`.
    signature: String,
    docs: String,
}

/// A bound of a module, with its unit at the end of its name.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ModuleLimit")]
struct Limit {
    name: &'static str,
    value: u64,
    /// What happens past it.
    docs: &'static str,
}

impl ModuleObject {
    fn new(app: &App, module: &'static Module) -> Result<Self, Fault> {
        let Module { name, version, docs, grant_schema, .. } = *module;
        let side = module.interface.as_ref();
        let (interface, wit) = (side.map(|side| side.name), side.map(|side| side.wit));
        let mut grant_schema: Value = serde_json::from_str(grant_schema).map_err(Fault::internal)?;
        // Every grant may say so; the module itself never sees it.
        grant_schema["properties"]["audit"] = json!({
            "type": "boolean", "default": false, "description": "Every call of the module is an event of its execution"
        });
        let functions = module.functions().into_iter();
        let functions = functions.map(|f| Function { name: f.name, signature: f.signature, docs: f.docs }).collect();
        let limits = module.limits.iter().map(|&(name, value, docs)| Limit { name, value, docs }).collect();
        let unavailable = (module.unavailable)(app.engine.policy());
        let dts = module.dts();
        Ok(ModuleObject { name, version, interface, docs, unavailable, wit, dts, functions, limits, grant_schema })
    }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Answer {
    ok(&app.engine.registry().modules().map(|module| ModuleObject::new(&app, module)).collect::<Result<Vec<_>, _>>()?)
}

fn find(app: &App, name: &str) -> Result<&'static Module, Fault> {
    app.engine
        .registry()
        .look_up(name)
        .map_err(|refusal| Fault::new(ErrorCode::NotFound, refusal.to_string()).with("module", &refusal.module))
}

pub(super) async fn get(State(app): State<Arc<App>>, PathName(name): PathName) -> Answer {
    ok(&ModuleObject::new(&app, find(&app, &name)?)?)
}

/// `GET /modules/{name}/types`.
pub(super) async fn types(State(app): State<Arc<App>>, PathName(name): PathName) -> Answer {
    Ok(declarations(find(&app, &name)?.dts()))
}

/// `GET /templates/{id}/types`: everything that a session of the template can see. What libraries bring is known once they
/// were evaluated, so the image is built if need be. A module that this build has no more is left out, and libraries that
/// are not there or fail stand as a comment: sessions don't start.
pub(super) async fn of_template(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<TemplateId>,
) -> Answer {
    let whole = app.store.whole_template(tenant, id).await?.ok_or_else(|| Fault::template_not_found(id))?;
    let registry = app.engine.registry();
    let names = whole.template.exposed_modules.iter().filter(|name| registry.look_up(name.as_str()).is_ok());
    let names: Vec<_> = names.cloned().collect();
    let modules: Vec<_> = names.iter().filter_map(|name| registry.look_up(name.as_str()).ok()).collect();
    let (mut libraries, mut lacking) = (Vec::new(), String::new());
    if !whole.template.libraries.is_empty() {
        match app.registry.shared.nursery.library_facts(names, whole.template.libraries.clone()).await {
            Ok(facts) => libraries = facts,
            Err(fault) if matches!(fault.code, ErrorCode::LibraryNotFound | ErrorCode::LibraryFailed) => {
                lacking = fault.message.lines().map(|line| format!("// {line}\n")).collect();
            }
            Err(fault) => return Err(fault.with("template_id", id)),
        }
    }
    let console = whole.settings.runtime.console;
    let text = sandbox::declarations_for(sandbox::Seen { modules: &modules, libraries: &libraries, console });
    Ok(declarations(lacking + &text))
}

fn declarations(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], text).into_response()
}
