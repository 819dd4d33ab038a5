//! `/executions` and `/run`.
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use model::{Event, Execution, ExecutionId, ExecutionStatus, SessionId, TemplateId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::extract::{self, Json, PATH_BYTES_MAX, PathId, Query, Tenant, required};
use super::lists::{self, After, Part};
use super::{Answer, created, json, ok, stream};
use crate::app::App;
use crate::fault::Fault;
use crate::prepare::What;
use crate::registry::Wish;
use crate::session::Session;
use crate::worktrees;

/// Executions of a list, unless the client says otherwise.
const LIMIT: u32 = 50;
/// What is neither final nor to be found among the live is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// So often; then its end could not be recorded.
const LOOKS_MAX: u32 = 1_500;
/// Pages of events, of about a megabyte each, that `/run` answers with; the rest is to be had from the execution.
const RUN_PAGES_MAX: usize = 8;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RunRepl")]
pub(super) struct Repl {
    #[schemars(required, extend("format" = "uuid"))]
    session_id: Option<String>,
    /// JavaScript.
    #[schemars(required, regex(pattern = r"\S"))]
    input: Option<String>,
    /// What the input is written in; `javascript` unless said.
    #[schemars(extend("enum" = ["javascript", "typescript"]))]
    language: Option<String>,
    /// Wait for the session's turn instead of 409 `SESSION_BUSY`.
    queue: Option<bool>,
}

pub(super) async fn repl(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Json(body): Json<Repl>,
) -> Answer {
    let session_id = required(body.session_id, "session_id")?;
    let input = required(body.input, "input")?;
    let typescript = match body.language.as_deref() {
        None | Some("javascript") => false,
        Some("typescript") => true,
        Some(_) => return Err(Fault::validation("language must be javascript or typescript")),
    };
    execute(&app, tenant, &session_id, What::Repl { input, typescript }, body.queue, &headers).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RunFile")]
pub(super) struct RunFile {
    #[schemars(required, extend("format" = "uuid"))]
    session_id: Option<String>,
    /// Beneath the worktree. A name that ends in `.mjs` or `.mts` is run as an ES module, `.ts` when it imports or
    /// exports.
    #[schemars(required, length(min = 1, max = 4096))]
    path: Option<String>,
    /// The script's `__ARGS__`.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    args: Option<Box<RawValue>>,
    /// The script's `__ENV__`.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    env: Option<Box<RawValue>>,
    /// Wait for the session's turn instead of 409 `SESSION_BUSY`.
    queue: Option<bool>,
}

pub(super) async fn run_file(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Json(body): Json<RunFile>,
) -> Answer {
    let session_id = required(body.session_id, "session_id")?;
    let what = file(body.path, body.args, body.env)?;
    execute(&app, tenant, &session_id, what, body.queue, &headers).await
}

/// A path of blanks names no file, which is another answer than no path at all.
fn file(path: Option<String>, args: Option<Box<RawValue>>, env: Option<Box<RawValue>>) -> Result<What, Fault> {
    let path = path.filter(|path| !path.is_empty()).ok_or_else(|| Fault::validation("path is required"))?;
    if path.len() > PATH_BYTES_MAX {
        return Err(Fault::validation(format!("path is longer than {PATH_BYTES_MAX} bytes")));
    }
    let object = |json, name| extract::object(json, name).map(|json| json.unwrap_or_else(|| RawValue::NULL.to_owned()));
    Ok(What::File { path, args: object(args, "args")?, env: object(env, "env")? })
}

async fn execute(
    app: &App,
    tenant: model::TenantId,
    session_id: &str,
    what: What,
    queue: Option<bool>,
    headers: &HeaderMap,
) -> Answer {
    let id: SessionId = extract::id(session_id)?;
    tracing::Span::current().record("session", tracing::field::display(id));
    let queue = queue.unwrap_or(false);
    if !prefers_async(headers) {
        let run = |session: Session| {
            let what = what.clone();
            async move { session.run(what, queue).await }
        };
        let execution = app.registry.with(tenant, id, run).await?;
        tracing::Span::current().record("execution", tracing::field::display(execution.id));
        return created(&execution);
    }
    let accept = |session: Session| {
        let what = what.clone();
        async move { session.accept(what, queue).await }
    };
    let execution = app.registry.with(tenant, id, accept).await?;
    tracing::Span::current().record("execution", tracing::field::display(execution.id));
    let mut response = json(StatusCode::ACCEPTED, &execution)?;
    let location = HeaderValue::try_from(format!("/api/v1/executions/{}", execution.id)).map_err(Fault::internal)?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert("preference-applied", HeaderValue::from_static("respond-async"));
    Ok(response)
}

/// `Prefer: respond-async` (RFC 7240), among other preferences.
pub(super) fn prefers_async(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences
        .flat_map(|value| value.split(','))
        .any(|one| one.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("respond-async")))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RunOnce")]
pub(super) struct RunOnce {
    #[schemars(required, extend("format" = "uuid"))]
    template_id: Option<String>,
    /// JavaScript. Either this or `path`.
    input: Option<String>,
    /// A file of the worktree. Either this or `input`.
    path: Option<String>,
    /// The file's `__ARGS__`.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    args: Option<Box<RawValue>>,
    /// The file's `__ENV__`.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    env: Option<Box<RawValue>>,
    /// Absolute; the directory that scripts may see. Without it they see none.
    worktree_path: Option<String>,
}

/// What `/run` answers.
#[derive(Serialize, JsonSchema)]
pub(super) struct RanOnce {
    execution: Execution,
    events: Vec<Event>,
    /// There are more events than an answer holds: the execution has them. Left out when there are not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more_events: bool,
}

/// One execution in a session that lives no longer.
pub(super) async fn run_once(State(app): State<Arc<App>>, Tenant(tenant): Tenant, Json(body): Json<RunOnce>) -> Answer {
    let template_id: TemplateId = extract::id(&required(body.template_id, "template_id")?)?;
    let what = match (body.input, body.path) {
        (Some(input), None) => What::Repl { input: required(Some(input), "input")?, typescript: false },
        (None, Some(path)) => file(Some(path), body.args, body.env)?,
        _ => return Err(Fault::validation("either input or path is required")),
    };
    let worktree_path = body.worktree_path.unwrap_or_default();
    let whole = super::templates::usable(&app, tenant, template_id).await?;
    if !worktree_path.is_empty() {
        worktrees::check(&worktree_path)?;
    }
    let label = || "run".to_owned();
    let wish = Wish { whole, workspace_id: label(), base_commit_oid: label(), worktree_path };
    let execution = app.registry.run_once(tenant, wish, what).await?;
    tracing::Span::current().record("execution", tracing::field::display(execution.id));
    let (mut events, mut more) = (Vec::new(), true);
    for _ in 0..RUN_PAGES_MAX {
        let page = app.store.events(tenant, execution.id, events.len() as u64, usize::MAX).await?.unwrap_or_default();
        events.extend(page.events);
        more = page.more;
        if !more {
            break;
        }
    }
    created(&RanOnce { execution, events, more_events: more })
}

pub(super) async fn list(State(app): State<Arc<App>>, Tenant(tenant): Tenant, query: Query) -> Answer {
    let session = query.get("session_id").ok_or_else(|| Fault::validation("session_id is required"))?;
    let session: SessionId = extract::id(session)?;
    let mut wanted = lists::from_start(lists::limit(&query, LIMIT)?);
    if let Some(before) = query.get("before") {
        let id: ExecutionId = extract::id_called(before, "before")?;
        let cursor = app.store.execution_cursor(tenant, session, id).await?;
        wanted.before = cursor.ok_or_else(|| Fault::execution_not_found(id))?;
    }
    let read = move |wanted| {
        let app = Arc::clone(&app);
        async move {
            let page = app.store.executions(tenant, session, wanted).await?;
            Ok(Part::of(page.ok_or_else(|| Fault::session_not_found(session))?, wanted))
        }
    };
    lists::answer(read(wanted).await?, read)
}

pub(super) async fn get(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<ExecutionId>,
) -> Answer {
    ok(&app.store.execution(tenant, id).await?.ok_or_else(|| Fault::execution_not_found(id))?)
}

/// Asks a running execution to stop and answers with its final row; one that has ended is answered as it is.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<ExecutionId>,
) -> Answer {
    for _ in 0..LOOKS_MAX {
        let row = app.store.execution(tenant, id).await?.ok_or_else(|| Fault::execution_not_found(id))?;
        if row.status != ExecutionStatus::Running {
            return ok(&row);
        }
        match app.registry.live_run(tenant, row.session_id, id) {
            Some(run) => {
                let mut done = run.follow();
                run.cancel();
                // A sender that is gone has ended, one way or another.
                drop(done.wait_for(|done| *done).await);
            }
            // Its session is being closed, or it has ended between the two looks.
            None => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
    Err(Fault::internal("a cancelled execution never ended"))
}

/// As a list, or, to a client that takes `text/event-stream`, as they come.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathId(id): PathId<ExecutionId>,
    query: Query,
    headers: HeaderMap,
) -> Answer {
    let number = |text: &str| text.parse::<u64>();
    let after = match query.get("after_seq") {
        None => 0,
        Some(text) => number(text).map_err(|_| Fault::validation("after_seq must be a non-negative integer"))?,
    };
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepts.into_iter().any(|value| value.to_ascii_lowercase().contains("text/event-stream")) {
        let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
        let after = match last.map(str::trim) {
            None | Some("") => after,
            Some(text) => number(text).map_err(|_| Fault::validation("Last-Event-ID must be a sequence number"))?,
        };
        return Ok(stream::follow(app, tenant, id, after).await?.into_response());
    }
    let after = After { seq: after, limit: lists::limit(&query, u32::MAX)? as usize };
    let read = move |after: After| {
        let app = Arc::clone(&app);
        async move {
            let page = app.store.events(tenant, id, after.seq, after.limit).await?;
            let mut page = page.ok_or_else(|| Fault::execution_not_found(id))?;
            // Nothing of what still runs is on the disk.
            if page.events.is_empty()
                && let Some(row) = app.store.execution(tenant, id).await?
                && row.status == ExecutionStatus::Running
                && let Some(run) = app.registry.live_run(tenant, row.session_id, id)
            {
                page = run.events(after.seq, after.limit)?;
            }
            Ok(Part::of_events(page, after))
        }
    };
    lists::answer(read(after).await?, read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn async_is_one_preference_among_others() {
        let prefers = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(value));
            prefers_async(&headers)
        };
        for value in ["respond-async", "wait=10, Respond-Async", "respond-async; x=1"] {
            assert!(prefers(value), "{value}");
        }
        for value in ["", "return=minimal", "respond-asynchronously", "x=respond-async"] {
            assert!(!prefers(value), "{value}");
        }
        assert!(!prefers_async(&HeaderMap::new()));
    }
}
