//! `/modules`: what templates may list.
use std::sync::Arc;

use axum::extract::State;
use model::ErrorCode;
use sandbox::Module;
use serde::Serialize;

use super::extract::PathName;
use super::{Answer, ok};
use crate::app::App;
use crate::fault::Fault;

#[derive(Serialize)]
struct ModuleObject {
    name: &'static str,
    version: &'static str,
    interface: &'static str,
    docs: &'static str,
    wit: &'static str,
    dts: String,
}

impl From<&'static Module> for ModuleObject {
    fn from(module: &'static Module) -> Self {
        let Module { name, version, interface, docs, wit, .. } = *module;
        ModuleObject { name, version, interface, docs, wit, dts: module.dts() }
    }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Answer {
    ok(&app.engine.registry().modules().map(ModuleObject::from).collect::<Vec<_>>())
}

pub(super) async fn get(State(app): State<Arc<App>>, PathName(name): PathName) -> Answer {
    let found = app.engine.registry().look_up(&name);
    let missing = |refusal: sandbox::Refusal| {
        Fault::new(ErrorCode::NotFound, refusal.to_string()).with("module", &refusal.module)
    };
    ok(&ModuleObject::from(found.map_err(missing)?))
}
