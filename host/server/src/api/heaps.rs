//! `/sessions/{id}/...`: what can be done with a session's stored heap.
use std::sync::Arc;

use axum::extract::State;
use model::{CheckpointId, Session, SessionId, SessionStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::extract::{self, Json, PathId, Query, Tenant, required};
use super::lists::{self, Part};
use super::{Answer, created, ok};
use crate::app::App;
use crate::fault::Fault;
use crate::residence::Residence;

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
