//! `text/event-stream` of an execution: what has happened, then what happens, then its end.
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use model::{Event, ExecutionId, ExecutionStatus, TenantId};
use tokio::sync::watch;

use crate::app::App;
use crate::fault::Fault;
use crate::run::LiveRun;

/// A comment on a quiet stream, so that neither end takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// An execution that runs where nobody here can follow it (its session was taken off the map just now) is looked at
/// again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// So often; then its end could not be recorded, and the stream is over without one.
const LOOKS_MAX: u32 = 300;

/// Follows an execution from after `after`.
pub(super) async fn follow(
    app: Arc<App>,
    tenant: TenantId,
    id: ExecutionId,
    after: u64,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Fault> {
    let row = app.store.execution(tenant, id).await?.ok_or_else(|| Fault::execution_not_found(id))?;
    let live = app.registry.live_run(tenant, row.session_id, id).map(|run| (run.follow(), run));
    let follower = Follower { app, tenant, id, after, ready: VecDeque::new(), live, looks: LOOKS_MAX, ended: false };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Follower {
    app: Arc<App>,
    tenant: TenantId,
    id: ExecutionId,
    after: u64,
    ready: VecDeque<Event>,
    /// While it is under way.
    live: Option<(watch::Receiver<bool>, Arc<LiveRun>)>,
    /// Looks that are left at what runs where nobody can follow it.
    looks: u32,
    ended: bool,
}

impl Follower {
    /// The next event to send; none when the stream is over, which a fault of ours also makes it.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.seq;
                let data = serde_json::to_string(&event).ok()?;
                return Some(sse::Event::default().id(event.seq.to_string()).event(event.kind.as_str()).data(data));
            }
            if self.ended {
                return None;
            }
            match self.look().await {
                Ok(last) => match last {
                    Some(last) => return Some(last),
                    None => continue,
                },
                Err(fault) => {
                    tracing::error!(?fault, execution = %self.id, "a stream broke off");
                    return None;
                }
            }
        }
    }

    /// Waits for more events; answers the last word when there will be none.
    async fn look(&mut self) -> Result<Option<sse::Event>, Fault> {
        if let Some((changed, run)) = &mut self.live {
            // Marked as seen before looking, so that what comes in between wakes us again.
            let done = *changed.borrow_and_update();
            if !done {
                self.ready = run.events(self.after, usize::MAX)?.events.into();
                if self.ready.is_empty() {
                    let _ = changed.changed().await;
                }
                return Ok(None);
            }
            self.live = None;
        }
        // All of it is on the disk.
        let gone = || Fault::execution_not_found(self.id);
        let execution = self.app.store.execution(self.tenant, self.id).await?.ok_or_else(gone)?;
        let page = self.app.store.events(self.tenant, self.id, self.after, usize::MAX).await?.ok_or_else(gone)?;
        if !page.events.is_empty() {
            self.ready = page.events.into();
            return Ok(None);
        }
        if execution.status == ExecutionStatus::Running {
            self.looks = self.looks.checked_sub(1).ok_or_else(|| Fault::internal("it never ended"))?;
            tokio::time::sleep(LOOK_AGAIN).await;
            return Ok(None);
        }
        self.ended = true;
        let data = serde_json::to_string(&execution).map_err(Fault::internal)?;
        Ok(Some(sse::Event::default().event("end").data(data)))
    }
}
