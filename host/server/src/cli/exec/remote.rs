//! The heap of `vm-system exec repl --interactive`: a session of a server.
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use model::{ConsoleLevel, Exception, Value};
use sandbox::{Mode, Outcome};
use serde::Deserialize;

use super::{Body, Language};
use crate::cli::Globals;
use crate::cli::client::{Client, Event, Execution, Failure};
use crate::cli::interrupt::Interrupts;
use crate::cli::local::{self, Source};
use crate::cli::printing::{self, Advice};
use crate::cli::repl::{self, Command, Heap};

/// Opens a prompt on a session.
pub(super) fn converse(
    client: Client,
    session: &str,
    language: Language,
    queue: bool,
    globals: &Globals,
) -> anyhow::Result<ExitCode> {
    #[derive(Deserialize)]
    struct Session {
        id: String,
        vm_id: String,
        status: String,
    }
    let interrupts = Interrupts::listen()?;
    let answer = client.get(&["sessions", session]).send()?;
    let session: Session = answer.parse()?;
    if session.status != "ready" {
        anyhow::bail!("session {} is {}, not ready", printing::line(&session.id), printing::line(&session.status));
    }
    let history_dir = local::user_data_dir(globals)?;
    // A history that can't be kept is no reason to refuse work.
    let _ = DirBuilder::new().recursive(true).mode(0o700).create(&history_dir);
    let modules = modules(&client, &session.vm_id)?;
    repl::talk(RemoteHeap {
        client,
        id: session.id,
        template: session.vm_id,
        modules,
        language,
        queue,
        interrupts,
        history_dir,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What the template lists now. The session has what it listed when the session was made; there is no asking that, and
/// the template may be deleted.
fn modules(client: &Client, template: &str) -> anyhow::Result<Vec<String>> {
    match client.get(&["templates", template, "modules"]).send() {
        Ok(answer) => answer.parse(),
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Api { .. })) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

struct RemoteHeap {
    client: Client,
    id: String,
    template: String,
    modules: Vec<String>,
    language: Language,
    queue: bool,
    interrupts: Interrupts,
    history_dir: PathBuf,
}

impl Heap for RemoteHeap {
    fn run(&mut self, source: &Source, mode: Mode) -> anyhow::Result<Outcome> {
        if mode == Mode::Module {
            anyhow::bail!("a session of a server runs no ES modules from here: import it from its worktree");
        }
        let (session_id, language) = (Some(self.id.as_str()), self.language.asked());
        let body = Body { session_id, input: Some(&source.text), language, queue: self.queue, ..Body::default() };
        let call = self.client.post(&["executions", "repl"]).json(&body)?.patient();
        let answer = call.header("Prefer", "respond-async").send()?;
        let execution: Execution = answer.parse()?;
        let armed = execution.is_running().then(|| self.interrupts.arm(cancel(&self.client, &execution.id)));
        let ended = self.client.follow(&execution.id, 0, |event, _| console(event))?;
        drop(armed);
        outcome(&ended)
    }

    /// The server gives every piece of source the same.
    fn name<'a>(&self, _source: &'a Source) -> &'a str {
        match self.language {
            Language::Javascript => "<repl>",
            Language::Typescript => "<repl>.ts",
        }
    }

    fn restart(&mut self) -> anyhow::Result<()> {
        anyhow::bail!("a session of a server is not made anew from here")
    }

    /// Each Tab would be an execution that the server keeps.
    fn probe(&mut self, _script: String) -> Option<Value> {
        None
    }

    fn commands(&self) -> &'static [Command] {
        &[
            (".exit", "leave (so does Ctrl-D); the session goes on"),
            (".help", "this list"),
            (".load", ".load FILE sends a file of this machine to the session; its names stay"),
            (".modules", "the modules that the session's template lists"),
        ]
    }

    fn modules(&self) -> Vec<String> {
        self.modules.clone()
    }

    fn list_modules(&self) -> anyhow::Result<()> {
        let modules = modules(&self.client, &self.template)?;
        let text = if modules.is_empty() { "No modules configured".to_owned() } else { modules.join("\n") };
        Ok(printing::out(&text)?)
    }

    fn greeting(&self) -> String {
        format!("vm-system {}; session {}", env!("CARGO_PKG_VERSION"), printing::line(&self.id))
    }

    fn advice(&self) -> Advice<'_> {
        Advice::Template(&self.template)
    }

    fn root(&self) -> &Path {
        Path::new(".")
    }

    fn history_dir(&self) -> PathBuf {
        self.history_dir.clone()
    }

    /// A session that is gone does not come back; a server may, and what it refuses need not be all that is asked.
    fn survives(&self, error: &anyhow::Error) -> bool {
        match error.downcast_ref() {
            Some(Failure::Api { code, .. }) => code != "SESSION_NOT_READY" && code != "SESSION_NOT_FOUND",
            Some(_) => true,
            None => !printing::is_closed_pipe(error),
        }
    }
}

/// Asks the server to stop it, on a thread of its own: a second Ctrl-C is heard meanwhile.
fn cancel(client: &Client, execution: &str) -> impl FnOnce() + Send + 'static {
    let (client, execution) = (client.clone(), execution.to_owned());
    move || {
        let asked = thread::Builder::new().name("cancel".to_owned()).spawn(move || {
            let cancelled = client.post(&["executions", &execution, "cancel"]).send();
            if let Err(error) = cancelled {
                printing::err(&format!("Error: cannot cancel: {error:#}"));
            }
        });
        if let Err(error) = asked {
            printing::err(&format!("Error: cannot cancel: {error}"));
        }
    }
}

fn console(event: &Event) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Said {
        level: ConsoleLevel,
        text: String,
    }
    if event.kind == "console" {
        let said: Said = serde_json::from_str(event.payload.get())?;
        printing::console(said.level, &said.text)?;
    }
    Ok(())
}

fn outcome(execution: &Execution) -> anyhow::Result<Outcome> {
    /// An exception of a server that knows more codes.
    #[derive(Deserialize)]
    struct Plain {
        message: String,
        stack: Option<String>,
    }
    if let Some(error) = &execution.error {
        let exception = serde_json::from_str(error.get()).or_else(|_| {
            let Plain { message, stack } = serde_json::from_str(error.get())?;
            serde_json::Result::Ok(Exception { message, stack, line: None, column: None, code: None })
        });
        return Ok(Outcome::Exception(exception?));
    }
    match (&execution.result, execution.status.as_str()) {
        (Some(result), _) => Ok(Outcome::Value(serde_json::from_str(result.get())?)),
        (None, status) => anyhow::bail!("the execution has neither a value nor an error; its status is {status}"),
    }
}
