//! `/sessions`.
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use model::{ErrorCode, SessionId, SessionStatus, TemplateId};
use serde::Deserialize;

use super::extract::{self, Json, PathId, Query, Tenant, required};
use super::{Answer, created, ok};
use crate::app::App;
use crate::fault::Fault;
use crate::registry::Wish;

pub(super) async fn list(State(app): State<Arc<App>>, Tenant(tenant): Tenant, query: Query) -> Answer {
    let status = match query.get("status") {
        None => None,
        Some(text) => match SessionStatus::parse(text) {
            None => return ok(&[(); 0]),
            status => status,
        },
    };
    ok(&app.store.sessions(tenant, status).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    template_id: Option<String>,
    workspace_id: Option<String>,
    base_commit_oid: Option<String>,
    worktree_path: Option<String>,
}

/// In the contract's order: body, required fields, id, template, worktree; then the registry's.
pub(super) async fn create(State(app): State<Arc<App>>, Tenant(tenant): Tenant, Json(body): Json<Create>) -> Answer {
    let template_id = required(body.template_id, "template_id")?;
    let workspace_id = required(body.workspace_id, "workspace_id")?;
    let base_commit_oid = required(body.base_commit_oid, "base_commit_oid")?;
    let worktree_path = required(body.worktree_path, "worktree_path")?;
    let template_id: TemplateId = extract::id(&template_id)?;
    let path = PathBuf::from(&worktree_path);
    if !path.is_absolute() {
        return Err(Fault::validation("worktree_path must be absolute"));
    }
    let found = app.store.template(tenant, template_id).await?;
    let (template, settings) = found.ok_or_else(|| Fault::template_not_found(template_id))?;
    let missing = || {
        Fault::new(ErrorCode::WorktreeNotFound, "worktree_path is no directory that can be opened")
            .with("template_id", template_id)
            .with("worktree_path", &worktree_path)
    };
    let root = app.registry.open_root(path).await.ok_or_else(missing)?;
    let wish = Wish { template, settings, workspace_id, base_commit_oid, worktree_path, root };
    created(&app.registry.create(tenant, wish).await?)
}

pub(super) async fn get(State(app): State<Arc<App>>, Tenant(tenant): Tenant, PathId(id): PathId<SessionId>) -> Answer {
    ok(&app.store.session(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?)
}

/// Closing twice, or what has crashed, is a 404: there is no such live session.
pub(super) async fn close(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
) -> Answer {
    ok(&app.registry.close(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?)
}
