//! `/health` and `/runtime`.
use std::sync::Arc;

use axum::extract::State;
use model::SessionId;
use schemars::JsonSchema;
use serde::Serialize;

use super::extract::Tenant;
use super::{Answer, ok};
use crate::app::App;

#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    status: &'static str,
}

pub(super) async fn health() -> Answer {
    ok(&Health { status: "ok" })
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Summary {
    active_sessions: usize,
    active_session_ids: Vec<SessionId>,
}

pub(super) async fn summary(State(app): State<Arc<App>>, Tenant(tenant): Tenant) -> Answer {
    let active_session_ids = app.registry.live_of(tenant);
    ok(&Summary { active_sessions: active_session_ids.len(), active_session_ids })
}
