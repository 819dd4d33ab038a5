//! `/executions`.
use std::sync::Arc;

use axum::extract::State;
use model::{ExecutionId, SessionId};
use serde::Deserialize;

use super::extract::{self, Json, PathId, Query, Tenant, required};
use super::{Answer, created, ok};
use crate::app::App;
use crate::fault::Fault;
use crate::session::Request;

/// Executions of a list, unless the client says otherwise.
const LIMIT: u32 = 50;
/// Executions of a list at most; asking for more is no error.
const LIMIT_MAX: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repl {
    session_id: Option<String>,
    input: Option<String>,
}

pub(super) async fn repl(State(app): State<Arc<App>>, Tenant(tenant): Tenant, Json(body): Json<Repl>) -> Answer {
    let session_id = required(body.session_id, "session_id")?;
    let input = required(body.input, "input")?;
    let id: SessionId = extract::id(&session_id)?;
    let Some(session) = app.registry.get(tenant, id) else {
        // Not live: the row knows whether it ever was.
        return Err(match app.store.session(tenant, id).await? {
            Some(_) => Fault::session_not_ready(id),
            None => Fault::session_not_found(id),
        });
    };
    created(&session.run(Request { input }).await?)
}

pub(super) async fn list(State(app): State<Arc<App>>, Tenant(tenant): Tenant, query: Query) -> Answer {
    let session = query.get("session_id").ok_or_else(|| Fault::validation("session_id is required"))?;
    let id: SessionId = extract::id(session)?;
    let limit = match query.get("limit") {
        None => LIMIT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| *limit > 0)
            .ok_or_else(|| Fault::validation("limit must be a positive integer"))?,
    };
    let found = app.store.executions(tenant, id, limit.min(LIMIT_MAX)).await?;
    ok(&found.ok_or_else(|| Fault::session_not_found(id))?)
}

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<ExecutionId>,
) -> Answer {
    ok(&app.store.execution(tenant, id).await?.ok_or_else(|| Fault::execution_not_found(id))?)
}

pub(super) async fn events(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<ExecutionId>,
    query: Query,
) -> Answer {
    let after = match query.get("after_seq") {
        None => 0,
        Some(text) => text.parse().map_err(|_| Fault::validation("after_seq must be a non-negative integer"))?,
    };
    let found = app.store.events(tenant, id, after, usize::MAX).await?;
    ok(&found.ok_or_else(|| Fault::execution_not_found(id))?)
}
