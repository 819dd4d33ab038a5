//! What is said between executions, for the next one to tell; also when its session has left memory meanwhile.
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{ConsoleLevel, HostCall, Payload};
use sandbox::Sandbox;
use serde::{Deserialize, Serialize};

/// Events that are kept, and their text, bytes.
const EVENTS_MAX: usize = 1_000;
const BYTES_MAX: usize = 256 << 10;

/// Bounded: what comes after is counted.
#[derive(Default)]
pub(crate) struct Backlog(Mutex<State>);

#[derive(Default, Serialize, Deserialize)]
struct State {
    said: Vec<Said>,
    bytes: usize,
    lost: u64,
}

/// An event that can be read again; no others come between executions.
#[derive(Clone, Serialize, Deserialize)]
enum Said {
    Console(ConsoleLevel, String),
    HostCall(HostCall),
}

impl Backlog {
    /// What was stored with a heap, and what was said while it was brought back.
    pub(crate) fn of(sandbox: &Sandbox, events: Vec<Payload>) -> Backlog {
        let state = sandbox.note().and_then(|note| serde_json::from_str(note).ok()).unwrap_or_default();
        let backlog = Backlog(Mutex::new(state));
        events.into_iter().for_each(|event| backlog.push(event));
        backlog
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, payload: Payload) {
        let mut state = self.state();
        let (said, bytes) = match payload {
            Payload::Console { level, text } => {
                let bytes = text.len();
                (Said::Console(level, text), bytes)
            }
            Payload::HostCall(call) => (Said::HostCall(call), 0),
            _ => return,
        };
        if state.said.len() >= EVENTS_MAX || state.bytes + bytes > BYTES_MAX {
            state.lost += 1;
        } else {
            state.bytes += bytes;
            state.said.push(said);
        }
    }

    /// What is stored with the heap; none where nothing was said.
    pub(crate) fn note(&self) -> Option<String> {
        let state = self.state();
        (!state.said.is_empty() || state.lost > 0).then(|| serde_json::to_string(&*state).ok()).flatten()
    }

    pub(crate) fn take(&self) -> Vec<Payload> {
        let State { said, lost, .. } = std::mem::take(&mut *self.state());
        let mut payloads: Vec<_> = said
            .into_iter()
            .map(|said| match said {
                Said::Console(level, text) => Payload::Console { level, text },
                Said::HostCall(call) => Payload::HostCall(call),
            })
            .collect();
        if lost > 0 {
            let message = format!("{lost} more events between executions were not kept");
            payloads.push(Payload::System { message, level: ConsoleLevel::Warn });
        }
        payloads
    }
}
