//! Events of an execution while they happen.
use std::io::BufReader;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::sse::Messages;
use super::{ANSWER_BYTES_MAX, Call, Client, Failure, Stream};

/// A connection that is silent for longer is made anew: the server sends comments more often than that.
const SILENCE: Duration = Duration::from_secs(60);
/// A connection that lived as long was a good one.
const STEADY: Duration = Duration::from_secs(10);
/// Failures in a row before it is given up.
const ATTEMPTS_MAX: u32 = 6;
/// First pause before the next attempt; it doubles from one to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// An event, as far as commands look at it.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// From 1, without gaps.
    pub seq: u64,
    /// When it happened.
    pub ts: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The payload's JSON, verbatim.
    pub payload: Box<RawValue>,
}

/// An execution, as far as commands look at it.
#[derive(Debug, Deserialize)]
pub struct Execution {
    /// Its id.
    pub id: String,
    /// The session it ran in; of `/run` there is none that lives.
    #[serde(default)]
    pub session_id: String,
    /// What was run.
    pub kind: String,
    /// The source, of `repl`.
    #[serde(default)]
    pub input: String,
    /// The file, of `run_file`.
    #[serde(default)]
    pub path: String,
    /// How it stands.
    pub status: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<String>,
    /// The completion value's JSON, verbatim.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    /// The exception's JSON, verbatim.
    #[serde(default)]
    pub error: Option<Box<RawValue>>,
}

impl Execution {
    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.status == "running"
    }
}

impl Client {
    /// Hands over each event of an execution behind number `after`, with the JSON it came as, while they happen; then
    /// the execution as it ended. A connection that breaks is made again, and goes on where the last one ended. Of a
    /// server that offers no stream the events are asked for again and again.
    pub fn follow(
        &self,
        execution: &str,
        after: u64,
        mut then: impl FnMut(&Event, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Execution> {
        let mut following = Following { client: self, execution, last: after };
        let (mut met, mut failures) = (false, 0);
        loop {
            let (began, last) = (Instant::now(), following.last);
            let error = match following.connect(&mut met, &mut then) {
                Ok(Some(execution)) => return Ok(execution),
                Ok(None) => self.broken("the stream of events ended early"),
                Err(error) if met && is_passing(&error) => error,
                Err(error) => return Err(error),
            };
            if following.last > last || began.elapsed() > STEADY {
                failures = 0;
            }
            if failures == ATTEMPTS_MAX {
                return Err(error);
            }
            tracing::debug!(%error, failures, "connecting again");
            thread::sleep(PAUSE * 2_u32.pow(failures));
            failures += 1;
        }
    }

    fn broken(&self, why: &str) -> anyhow::Error {
        Failure::Broken { url: self.url.clone(), why: why.to_owned() }.into()
    }
}

/// Whether a second attempt may help.
fn is_passing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Failure::Unreachable { .. } | Failure::Broken { .. }))
}

struct Following<'a> {
    client: &'a Client,
    execution: &'a str,
    /// Number of the last event that was handed over.
    last: u64,
}

impl<'a> Following<'a> {
    /// Follows over one connection. None: it ended, and the execution did not.
    fn connect(
        &mut self,
        met: &mut bool,
        then: &mut impl FnMut(&Event, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<Execution>> {
        let mut call = self.events().header("Accept", "text/event-stream").live(SILENCE);
        if self.last > 0 {
            call = call.header("Last-Event-ID", self.last);
        }
        let stream = call.stream()?;
        *met = true;
        if stream.is_event_stream() {
            return self.listen(stream, then);
        }
        drop(stream);
        loop {
            // In this order: what is final at this look has all its events behind it.
            let execution: Execution = self.client.get(&["executions", self.execution]).send()?.parse()?;
            let call = self.events();
            call.each(|raw: Box<RawValue>| self.pass(raw.get(), then))?;
            if !execution.is_running() {
                return Ok(Some(execution));
            }
            thread::sleep(PAUSE);
        }
    }

    fn events(&self) -> Call<'a> {
        self.client.get(&["executions", self.execution, "events"]).query("after_seq", self.last)
    }

    fn pass(&mut self, raw: &str, then: &mut impl FnMut(&Event, &str) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let event: Event = serde_json::from_str(raw).map_err(|e| self.strange(e))?;
        // After a reconnection nothing is told twice.
        if event.seq > self.last {
            then(&event, raw)?;
            self.last = event.seq;
        }
        Ok(())
    }

    fn strange(&self, error: serde_json::Error) -> anyhow::Error {
        self.client.foreign(format!("it sent an event of another kind ({error})"))
    }

    fn listen(
        &mut self,
        stream: Stream,
        then: &mut impl FnMut(&Event, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<Execution>> {
        let client = self.client;
        let mut messages = Messages::new(BufReader::new(stream.body.into_reader()), ANSWER_BYTES_MAX as usize);
        while let Some(message) = messages.next().map_err(|e| client.failed(e.into()))? {
            if message.event == "end" {
                return serde_json::from_str(&message.data).map(Some).map_err(|e| self.strange(e));
            }
            self.pass(&message.data, then)?;
        }
        Ok(None)
    }
}
