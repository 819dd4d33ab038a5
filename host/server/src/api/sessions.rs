//! `/sessions`.
use std::sync::Arc;

use axum::extract::State;
use model::{SessionId, SessionStatus, TemplateId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::extract::{self, Json, LABEL_BYTES_MAX, PATH_BYTES_MAX, PathId, Query, Tenant, required_within};
use super::heaps::shown;
use super::lists::{self, Part};
use super::{Answer, created, ok};
use crate::app::App;
use crate::fault::Fault;
use crate::registry::Wish;
use crate::worktrees;

pub(super) async fn list(State(app): State<Arc<App>>, Tenant(tenant): Tenant, query: Query) -> Answer {
    let mut wanted = lists::from_start(lists::limit(&query, u32::MAX)?);
    if let Some(before) = query.get("before") {
        let id: SessionId = extract::id_called(before, "before")?;
        let cursor = app.store.session_cursor(tenant, id).await?;
        wanted.before = cursor.ok_or_else(|| Fault::session_not_found(id))?;
    }
    let status = match query.get("status") {
        None => None,
        Some(text) => match SessionStatus::parse(text) {
            None => return ok(&[(); 0]),
            status => status,
        },
    };
    let read = move |wanted| {
        let app = Arc::clone(&app);
        async move {
            let mut page = app.store.sessions(tenant, status, wanted).await?;
            page.rows = page.rows.into_iter().map(|row| shown(&app, row)).collect();
            Ok(Part::of(page, wanted))
        }
    };
    lists::answer(read(wanted).await?, read)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateSession")]
pub(super) struct Create {
    #[schemars(required, extend("format" = "uuid"))]
    template_id: Option<String>,
    /// A label.
    #[schemars(required, length(min = 1, max = 1024), regex(pattern = r"\S"))]
    workspace_id: Option<String>,
    /// A label.
    #[schemars(required, length(min = 1, max = 1024), regex(pattern = r"\S"))]
    base_commit_oid: Option<String>,
    /// Absolute; the directory that scripts may see.
    #[schemars(required, length(min = 1, max = 4096), regex(pattern = r"^/"))]
    worktree_path: Option<String>,
}

/// In the contract's order: body, required fields, id, template, worktree; then the registry's.
pub(super) async fn create(State(app): State<Arc<App>>, Tenant(tenant): Tenant, Json(body): Json<Create>) -> Answer {
    let template_id = required_within(body.template_id, "template_id", LABEL_BYTES_MAX)?;
    let workspace_id = required_within(body.workspace_id, "workspace_id", LABEL_BYTES_MAX)?;
    let base_commit_oid = required_within(body.base_commit_oid, "base_commit_oid", LABEL_BYTES_MAX)?;
    let worktree_path = required_within(body.worktree_path, "worktree_path", PATH_BYTES_MAX)?;
    let template_id: TemplateId = extract::id(&template_id)?;
    let whole = super::templates::usable(&app, tenant, template_id).await?;
    worktrees::check(&worktree_path)?;
    let wish = Wish { whole, workspace_id, base_commit_oid, worktree_path };
    let row = app.registry.create(tenant, wish).await?;
    tracing::Span::current().record("session", tracing::field::display(row.id));
    created(&shown(&app, row))
}

pub(super) async fn get(State(app): State<Arc<App>>, Tenant(tenant): Tenant, PathId(id): PathId<SessionId>) -> Answer {
    let row = app.store.session(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?;
    ok(&shown(&app, row))
}

/// Closing twice, or what has crashed, is a 404: there is no such live session.
pub(super) async fn close(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
) -> Answer {
    ok(&app.registry.close(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?)
}
