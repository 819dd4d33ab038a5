//! What an execution is going to run: everything that is read and checked before it begins.
use model::{ErrorCode, Payload, RelPath, RelPathError, SessionId, StartupMode};
use sandbox::{Mode, Root, SourceError};
use serde_json::value::RawValue;

use crate::fault::Fault;
use crate::keep::Keep;

/// Largest file that is run, bytes.
const FILE_BYTES_MAX: usize = 8 << 20;

/// What a client wants run.
#[derive(Clone, Debug)]
pub enum What {
    /// A piece of source.
    Repl {
        /// It.
        input: String,
        /// It is TypeScript.
        typescript: bool,
    },
    /// A file of the worktree.
    File {
        /// As the client wrote it.
        path: String,
        /// An object, or null. Scripts see it as `__ARGS__`.
        args: Box<RawValue>,
        /// An object, or null. Scripts see it as `__ENV__`.
        env: Box<RawValue>,
    },
    /// A startup file of the template.
    Startup {
        /// Beneath the worktree.
        path: String,
        /// How it is evaluated.
        mode: StartupMode,
    },
}

/// What is going to run: everything is read and checked.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) what: What,
    pub(crate) source: String,
    pub(crate) mode: Mode,
    pub(crate) prologue: String,
    /// What was said since the last execution, to be told in this one.
    pub(crate) backlog: Vec<Payload>,
}

impl Prepared {
    /// What was asked for, without what was read.
    pub(crate) fn into_what(self) -> What {
        self.what
    }
}

/// Where the files of a session are, and what of the run time its template switches on.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) session: SessionId,
    pub(crate) root: Option<Root>,
    pub(crate) esm: bool,
    pub(crate) keep: Keep,
}

impl Place {
    /// Reads what is to run.
    pub(crate) async fn prepare(&self, what: What) -> Result<Prepared, Fault> {
        let (path, module) = match &what {
            What::Repl { input, .. } => {
                let source = input.clone();
                return Ok(Prepared { what, source, mode: Mode::Script, prologue: String::new(), backlog: Vec::new() });
            }
            What::File { path, .. } => (path, [".mjs", ".mts"].iter().any(|extension| path.ends_with(extension))),
            What::Startup { path, mode } => (path, *mode == StartupMode::Module),
        };
        if module && !self.esm {
            let message = "ES modules are switched off by the template's settings (runtime.esm)";
            return Err(Fault::validation(message).with("session_id", self.session));
        }
        let path = RelPath::parse(path).map_err(|error| match error {
            RelPathError::Outside => self.outside(),
            RelPathError::Blank | RelPathError::Malformed => self.absent(),
        })?;
        let root = self.root.clone().ok_or_else(|| self.absent())?;
        let read = tokio::task::spawn_blocking(move || root.source(&path, FILE_BYTES_MAX));
        let source = read.await.map_err(Fault::internal)?.map_err(|error| match error {
            SourceError::Absent => self.absent(),
            SourceError::Outside => self.outside(),
            SourceError::TooLarge => Fault::validation(format!("path: the file is larger than {FILE_BYTES_MAX} bytes")),
            SourceError::NotText => Fault::validation("path: the file is not UTF-8"),
        })?;
        let prologue = match &what {
            What::File { args, env, .. } => prologue(args, env),
            _ => String::new(),
        };
        let mode = if module { Mode::Module } else { Mode::Script };
        Ok(Prepared { what, source, mode, prologue, backlog: Vec::new() })
    }

    fn absent(&self) -> Fault {
        Fault::new(ErrorCode::FileNotFound, "File not found").with("session_id", self.session)
    }

    fn outside(&self) -> Fault {
        Fault::new(ErrorCode::InvalidPath, "Path escapes allowed worktree").with("session_id", self.session)
    }
}

/// JSON as JavaScript reads it, by way of a string: an object literal would take `__proto__` for more than a name.
fn prologue(args: &RawValue, env: &RawValue) -> String {
    let parsed = |json: &RawValue| serde_json::to_string(json.get()).unwrap_or_default();
    format!("globalThis.__ARGS__ = JSON.parse({}); globalThis.__ENV__ = JSON.parse({});", parsed(args), parsed(env))
}
