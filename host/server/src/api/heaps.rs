//! `/sessions/{id}/...`: what can be done with a session's stored heap.
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use model::{CheckpointId, ErrorCode, Session, SessionId, SessionStatus, TemplateId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::extract::{self, Json, PATH_BYTES_MAX, PathId, Query, Tenant, required};
use super::lists::{self, Part};
use super::{Answer, created, ok};
use crate::app::App;
use crate::fault::Fault;
use crate::residence::Residence;
use crate::transfer::Leaving;
use crate::worktrees;

/// What exported sessions are.
pub(super) const SESSION_FILE: &str = "application/vnd.vm-system.session";

/// Facts about a session's run time.
#[derive(Serialize)]
struct RuntimeMeta {
    residence: Residence,
}

/// A session's row as clients see it: with where its heap is.
pub(super) fn shown(app: &App, mut row: Session) -> Session {
    if row.status == SessionStatus::Ready {
        let meta = RuntimeMeta { residence: app.registry.residence(row.id) };
        row.runtime_meta = serde_json::to_string(&meta).ok().and_then(|json| RawValue::from_string(json).ok());
    }
    row
}

pub(super) async fn hibernate(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
) -> Answer {
    let row = app.registry.hibernate(tenant, id).await?;
    ok(&shown(&app, row))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ForkSession")]
pub(super) struct Fork {
    /// How many; 1 unless said.
    #[schemars(range(min = 1, max = 100))]
    count: Option<u32>,
    /// A checkpoint of the session to go on from; its heap as it is unless said.
    #[schemars(extend("format" = "uuid"))]
    checkpoint: Option<String>,
}

pub(super) async fn fork(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
    Json(body): Json<Fork>,
) -> Answer {
    let checkpoint = body.checkpoint.map(|text| extract::id_called(&text, "checkpoint")).transpose()?;
    let forks = app.registry.fork(tenant, id, body.count.unwrap_or(1), checkpoint).await?;
    created(&forks.into_iter().map(|row| shown(&app, row)).collect::<Vec<_>>())
}

pub(super) async fn checkpoints(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
    query: Query,
) -> Answer {
    let mut wanted = lists::from_start(lists::limit(&query, u32::MAX)?);
    if let Some(before) = query.get("before") {
        let before: CheckpointId = extract::id_called(before, "before")?;
        let cursor = app.store.checkpoint_cursor(tenant, id, before).await?;
        wanted.before = cursor.ok_or_else(|| Fault::checkpoint_not_found(id, before))?;
    }
    let read = move |wanted| {
        let app = Arc::clone(&app);
        async move {
            let page = app.store.checkpoints(tenant, id, wanted).await?;
            Ok(Part::of(page.ok_or_else(|| Fault::session_not_found(id))?, wanted))
        }
    };
    lists::answer(read(wanted).await?, read)
}

/// What storing a heap answers.
#[derive(Serialize, JsonSchema)]
pub(super) struct Stored {
    /// The newest checkpoint; none: nothing ran yet, and the heap is as its image is.
    checkpoint: Option<model::CheckpointRow>,
}

pub(super) async fn store(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
) -> Answer {
    created(&Stored { checkpoint: app.registry.checkpoint(tenant, id).await? })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RestoreSession")]
pub(super) struct Restore {
    /// The checkpoint to go on from.
    #[schemars(required, extend("format" = "uuid"))]
    checkpoint: Option<String>,
}

pub(super) async fn restore(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
    Json(body): Json<Restore>,
) -> Answer {
    let checkpoint = extract::id_called(&required(body.checkpoint, "checkpoint")?, "checkpoint")?;
    let row = app.registry.restore(tenant, id, checkpoint).await?;
    ok(&shown(&app, row))
}

pub(super) async fn export(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
    query: Query,
) -> Answer {
    let checkpoint = query.get("checkpoint").map(|text| extract::id_called(text, "checkpoint")).transpose()?;
    let Leaving { pieces, room } = app.registry.export(tenant, id, checkpoint).await?;
    let len: usize = pieces.iter().map(|piece| piece.len()).sum();
    let headers = [
        (header::CONTENT_TYPE, SESSION_FILE.to_owned()),
        (header::CONTENT_LENGTH, len.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.vmsnap\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    // Its room is free once the client has it, or has gone.
    let body = stream::unfold((pieces.into_iter(), room), |(mut pieces, room)| async move {
        let piece = pieces.next()?;
        Some((Ok::<_, std::convert::Infallible>(piece), (pieces, room)))
    });
    Ok((headers, Body::from_stream(body)).into_response())
}

/// In this order: whether it is done at all, what the query says, the file with its signature, the template, the worktree.
pub(super) async fn import(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    query: Query,
    request: Request,
) -> Answer {
    let wanted = app.registry.may_share().and_then(|()| under(&query));
    let (named, worktree_path) = match wanted {
        Ok(wanted) => wanted,
        Err(fault) => return Err(extract::unread(request, fault).await),
    };
    let room = app.registry.room_to_import().await?;
    let bytes = extract::body(request, app.config.session_file_bytes_max(), &app.file_room).await?;
    let arrived = app.registry.arrived(bytes, room).await?;
    let template = named.unwrap_or_else(|| arrived.template());
    let whole = super::templates::usable(&app, tenant, template).await.map_err(|fault| match fault.code {
        ErrorCode::TemplateNotFound if named.is_none() => {
            let message = "The template that the session was made from is not here: name one that allows as much (?template=, \
                           --template)";
            Fault { message: message.into(), ..fault }
        }
        _ => fault,
    })?;
    if worktree_path.is_empty() && arrived.had_worktree() {
        let message = "worktree_path is required: the session had a worktree (?worktree_path=, --worktree-path)";
        return Err(Fault::validation(message));
    }
    let row = app.registry.import(tenant, arrived, whole, worktree_path).await?;
    tracing::Span::current().record("session", tracing::field::display(row.id));
    created(&shown(&app, row))
}

/// The template and the worktree that an import names; no worktree is an empty one.
fn under(query: &Query) -> Result<(Option<TemplateId>, String), Fault> {
    let template = query.get("template").map(|text| extract::id_called(text, "template")).transpose()?;
    let worktree_path = query.get("worktree_path").unwrap_or_default().to_owned();
    if worktree_path.len() > PATH_BYTES_MAX {
        return Err(Fault::validation(format!("worktree_path is longer than {PATH_BYTES_MAX} bytes")));
    }
    if !worktree_path.is_empty() {
        worktrees::check(&worktree_path)?;
    }
    Ok((template, worktree_path))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "MigrateSession")]
pub(super) struct Migrate {
    /// Begin anew and take nothing along: the heap is not asked. Needed where it can't be brought back.
    discard: bool,
}

pub(super) async fn migrate(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<SessionId>,
    Json(body): Json<Migrate>,
) -> Answer {
    let row = app.store.session(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?;
    if row.status != SessionStatus::Ready {
        return Err(Fault::session_not_ready(id));
    }
    let whole = super::templates::usable(&app, tenant, row.vm_id).await?;
    let row = app.registry.migrate(tenant, id, whole, body.discard).await?;
    ok(&shown(&app, row))
}
