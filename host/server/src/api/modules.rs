//! `/modules`: what templates may list.
use std::sync::Arc;

use axum::extract::State;
use model::ErrorCode;
use sandbox::Module;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::extract::PathName;
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
    dts: String,
    /// JSON Schema of `config`, the module's grant in a template.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    grant_schema: &'static RawValue,
}

impl ModuleObject {
    fn new(app: &App, module: &'static Module) -> Result<Self, Fault> {
        let Module { name, version, docs, grant_schema, .. } = *module;
        let side = module.interface.as_ref();
        let (interface, wit) = (side.map(|side| side.name), side.map(|side| side.wit));
        let grant_schema = serde_json::from_str(grant_schema).map_err(Fault::internal)?;
        let unavailable = (module.unavailable)(app.engine.policy());
        Ok(ModuleObject { name, version, interface, docs, unavailable, wit, dts: module.dts(), grant_schema })
    }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Answer {
    ok(&app.engine.registry().modules().map(|module| ModuleObject::new(&app, module)).collect::<Result<Vec<_>, _>>()?)
}

pub(super) async fn get(State(app): State<Arc<App>>, PathName(name): PathName) -> Answer {
    let found = app.engine.registry().look_up(&name);
    let missing = |refusal: sandbox::Refusal| {
        Fault::new(ErrorCode::NotFound, refusal.to_string()).with("module", &refusal.module)
    };
    ok(&ModuleObject::new(&app, found.map_err(missing)?)?)
}
