//! `/health`, `/runtime` and `/ops`.
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

/// Sessions that the summary lists by their ids; it counts all.
const IDS_MAX: u32 = 10_000;

#[derive(Serialize, JsonSchema)]
pub(super) struct Summary {
    /// Sessions that are ready, in memory or hibernated.
    active_sessions: u64,
    /// The newest 10,000 of them, sorted.
    active_session_ids: Vec<SessionId>,
}

pub(super) async fn summary(State(app): State<Arc<App>>, Tenant(tenant): Tenant) -> Answer {
    let (active_sessions, active_session_ids) = app.store.sessions_ready(tenant, IDS_MAX).await?;
    ok(&Summary { active_sessions, active_session_ids })
}

/// Of all tenants: what it says is the operator's business.
pub(super) async fn images(State(app): State<Arc<App>>, Tenant(tenant): Tenant) -> Answer {
    ok(&app.registry.images(tenant).await?)
}

/// Of all tenants.
pub(super) async fn durable(State(app): State<Arc<App>>) -> Answer {
    ok(&app.registry.durable_figures().await?)
}
