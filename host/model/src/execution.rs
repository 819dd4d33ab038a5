//! Executions and the events they leave.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::words::words;
use crate::{ConsoleLevel, Exception, ExecutionId, SessionId, Timestamp, Value};

words! {
    /// What was run.
    ExecutionKind {
        /// A piece of source.
        Repl = "repl",
        /// A file of the worktree.
        RunFile = "run_file",
        /// A startup file of the template.
        Startup = "startup",
    }
}

words! {
    /// How an execution stands. All but `running` are final.
    ExecutionStatus {
        /// It runs.
        Running = "running",
        /// It completed.
        Ok = "ok",
        /// It threw, hit a limit other than time, or its session died.
        Error = "error",
        /// It used up its CPU or wall time.
        Timeout = "timeout",
        /// A client, or the server's end, stopped it.
        Cancelled = "cancelled",
        /// The server stopped while it ran: nobody knows how far it came, and its session's heap is as it was before.
        Interrupted = "interrupted",
    }
}

/// An execution as the contract shows it. What is JSON in itself is kept as the text it was written as: reading a
/// value's `"json":null` into a type and back would lose it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// The session it ran in.
    pub session_id: SessionId,
    /// What was run.
    pub kind: ExecutionKind,
    /// The source, of `repl`.
    #[serde(skip_serializing_if = "is_empty")]
    pub input: Option<String>,
    /// The file, of `run_file` and `startup`.
    #[serde(skip_serializing_if = "is_empty")]
    pub path: Option<String>,
    /// `[]` of `repl`; as given, or null, of `run_file`.
    #[schemars(with = "serde_json::Value")]
    pub args: Box<RawValue>,
    /// `{}` of `repl`; as given, or null, of `run_file`.
    #[schemars(with = "serde_json::Value")]
    pub env: Box<RawValue>,
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The completion value, a [`Value`] as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub result: Option<Box<RawValue>>,
    /// What it threw, or the limit that it hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Exception>,
    /// What it used; `{}` while it runs.
    #[schemars(with = "serde_json::Value")]
    pub metrics: Box<RawValue>,
}

fn is_empty(text: &Option<String>) -> bool {
    text.as_ref().is_none_or(String::is_empty)
}

words! {
    /// The kinds of event.
    EventKind {
        /// The source of a `repl`.
        InputEcho = "input_echo",
        /// A console call.
        Console = "console",
        /// The completion value.
        Value = "value",
        /// The uncaught exception, or the limit that was hit.
        Exception = "exception",
        /// A call of a native module whose grant says `audit`.
        HostCall = "host_call",
        /// A word of the host.
        System = "system",
    }
}

/// What an event carries, before it is written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Payload {
    /// The source of a `repl`.
    InputEcho {
        /// It, verbatim.
        text: String,
    },
    /// A console call.
    Console {
        /// Which one.
        level: ConsoleLevel,
        /// Its formatted arguments.
        text: String,
    },
    /// The completion value.
    Value(Value),
    /// The uncaught exception.
    Exception(Exception),
    /// A call of a native module whose grant says `audit`.
    HostCall(HostCall),
    /// A word of the host.
    System {
        /// The word.
        message: String,
        /// Its weight.
        level: ConsoleLevel,
    },
}

/// One call of a native module.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HostCall {
    /// The module.
    pub module: String,
    /// Its function, as its WIT spells it.
    pub function: String,
    /// The first argument that is a text, such as a path or an address; cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// From the call to its result, microseconds.
    pub us: u64,
    /// Text and data of arguments and result, bytes.
    pub bytes: u64,
    /// The code of the error that it ended with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Payload {
    /// The event's `type`.
    pub fn kind(&self) -> EventKind {
        match self {
            Payload::InputEcho { .. } => EventKind::InputEcho,
            Payload::Console { .. } => EventKind::Console,
            Payload::Value(_) => EventKind::Value,
            Payload::Exception(_) => EventKind::Exception,
            Payload::HostCall(_) => EventKind::HostCall,
            Payload::System { .. } => EventKind::System,
        }
    }
}

/// An event as the contract shows it; the payload is the text it was written as.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Event {
    /// The execution it belongs to.
    pub execution_id: ExecutionId,
    /// From 1, without gaps.
    pub seq: u64,
    /// When it happened.
    pub ts: Timestamp,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// A [`Payload`] as JSON.
    #[schemars(with = "serde_json::Value")]
    pub payload: Box<RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JsType;

    #[test]
    fn payloads_are_the_contracts() {
        let json = |payload: Payload| serde_json::to_string(&payload).unwrap();
        assert_eq!(json(Payload::InputEcho { text: "1".into() }), r#"{"text":"1"}"#);
        assert_eq!(
            json(Payload::Console { level: ConsoleLevel::Warn, text: "a\nb".into() }),
            r#"{"level":"warn","text":"a\nb"}"#
        );
        let null = RawValue::from_string("null".into()).unwrap();
        let undefined = Value { ty: JsType::Undefined, preview: "undefined".into(), json: Some(null) };
        assert_eq!(json(Payload::Value(undefined)), r#"{"type":"undefined","preview":"undefined","json":null}"#);
    }

    #[test]
    fn words_go_both_ways() {
        assert_eq!(ExecutionKind::parse("run_file"), Some(ExecutionKind::RunFile));
        assert_eq!(ExecutionKind::parse("RUN_FILE"), None);
        assert_eq!(serde_json::to_string(&EventKind::InputEcho).unwrap(), r#""input_echo""#);
    }
}
