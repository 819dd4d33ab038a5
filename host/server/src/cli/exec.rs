//! `vm-system exec`.
mod remote;

use std::io;
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{Answer, Call, Client, Event, Execution};
use super::printing::{Page, Table, clock, line, seconds};
use super::template::JsonObject;
use super::{Globals, Output, local, printing};

/// Run JavaScript in sessions of a server, and see what was run
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system exec repl S 'let n = 41; n + 1'
  vm-system exec repl S - < script.js
  vm-system exec repl S --interactive                 a prompt on the session
  vm-system exec run-file S src/report.js --args '{\"year\": 2026}'
  vm-system exec events \"$(vm-system exec repl S 'slow()' --async)\" --follow
  vm-system exec run T '6 * 7'                        no session: one for this, and closed again

S and T stand for the ids of a session and a template.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Repl(Repl),
    RunFile(RunFile),
    Run(Run),
    /// Show an execution with its events
    Get {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        execution: String,
    },
    /// List the executions of a session, newest first
    List {
        /// The session's id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
        /// So many at most
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// Only those older than this execution: the next page of a list
        #[arg(long, value_name = "EXECUTION", value_parser = NonEmptyStringValueParser::new())]
        before: Option<String>,
    },
    /// List the events of an execution: what it printed, and what it came to
    Events {
        /// The execution's id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        execution: String,
        /// Only those after this number
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after_seq: u64,
        /// Show events while they happen, until the execution ends; with --output json, one object a line
        #[arg(long)]
        follow: bool,
    },
    /// Stop an execution that runs, and wait until it has stopped; the session goes on
    Cancel {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        execution: String,
    },
}

/// Run code in a session
///
/// `let`, `const`, `class` and functions stay for the next one. The status is 0 even if the script failed: its status and
/// error are printed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system exec repl S '1 + 1'
  echo 'console.log(1); 2' | vm-system exec repl S -
  vm-system exec repl S 'let n: number = 41; n + 1' --language typescript
  vm-system exec repl S --interactive
  vm-system exec repl S 'work()' --async               prints the execution's id and does not wait
  vm-system exec repl S 'work()' --idempotency-key job-17        a repeat runs nothing again

With --interactive, console output appears while it happens, unfinished input continues on the next line, and Ctrl-C
cancels what runs; .help lists the commands.")]
struct Repl {
    /// The session's id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    session: String,
    /// The code; `-` reads it from stdin
    #[arg(required_unless_present = "interactive", conflicts_with = "interactive", allow_hyphen_values = true)]
    code: Option<String>,
    /// Open a prompt on the session
    #[arg(long, short, conflicts_with_all = ["asynchronous", "idempotency_key"])]
    interactive: bool,
    /// What the code is written in
    #[arg(long, value_enum, default_value_t)]
    language: Language,
    #[command(flatten)]
    how: How,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Language {
    #[default]
    Javascript,
    Typescript,
}

impl Language {
    /// What is asked of the server. A server of before knows no languages, and needs to know of none for JavaScript.
    fn asked(self) -> Option<Language> {
        (self != Language::Javascript).then_some(self)
    }
}

/// Run a file of a session's worktree
///
/// The file finds --args as `__ARGS__` and --env as `__ENV__`; a name that ends in .mjs is an ES module. The status is 0 even if the script failed: its status and error are printed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system exec run-file S src/report.js
  vm-system exec run-file S src/report.js --args '{\"year\": 2026}' --env '{\"MODE\": \"dry\"}'
  vm-system exec run-file S job.js --queue             waits its turn instead of being refused as busy")]
struct RunFile {
    /// The session's id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    session: String,
    /// The file, relative to the worktree
    path: String,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    how: How,
}

/// Run code or a file once, without a session
///
/// The server makes a session from the template, runs this in it and closes it again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system exec run T '6 * 7'
  vm-system exec run T - < script.js
  vm-system exec run T --file src/report.js --worktree-path \"$PWD\"")]
struct Run {
    /// The template's id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    template: String,
    /// The code; `-` reads it from stdin
    #[arg(required_unless_present = "file", conflicts_with = "file", allow_hyphen_values = true)]
    code: Option<String>,
    /// Run this file instead, relative to the worktree
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
    /// Directory on the server's machine that the script reaches; absolute
    #[arg(long, value_name = "DIR")]
    worktree_path: Option<String>,
    #[command(flatten)]
    given: Given,
    /// A text of your choice: of two requests that have the same, the second one answers what the first did
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
}

/// What a file is given.
#[derive(Debug, clap::Args)]
struct Given {
    /// What the script finds as `__ARGS__`, a JSON object
    #[arg(long, value_name = "JSON", value_parser = JsonObject::parse)]
    args: Option<JsonObject>,
    /// What the script finds as `__ENV__`, a JSON object
    #[arg(long, value_name = "JSON", value_parser = JsonObject::parse)]
    env: Option<JsonObject>,
}

/// How the server treats it.
#[derive(Debug, clap::Args)]
struct How {
    /// Wait for the session's turn instead of being refused as SESSION_BUSY
    #[arg(long)]
    queue: bool,
    /// Do not wait for the end: print the execution's id and leave
    #[arg(long = "async")]
    asynchronous: bool,
    /// A text of your choice: of two requests that have the same, the second one answers what the first did
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
}

fn idempotency_key(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err("1 to 255 visible ASCII characters are accepted".to_owned()) }
}

/// What `POST /executions/...` and `POST /run` take.
#[derive(Default, Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<&'a JsonObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<&'a JsonObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worktree_path: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    queue: bool,
}

const LIST: Table =
    Table { columns: &[("Execution ID", 36), ("Kind", 10), ("Status", 10), ("Started", 20)], dashes: 80 };
const EVENTS: Table = Table { columns: &[("Seq", 5), ("Timestamp", 20), ("Type", 15), ("Payload", 0)], dashes: 80 };

/// Asks the server and prints its answer.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let client = Client::new(globals)?;
    match args.verb {
        Verb::Repl(args) if args.interactive => {
            remote::converse(client, &args.session, args.language, args.how.queue, globals)
        }
        Verb::Repl(args) => {
            let code = code(args.code)?;
            let (session_id, language) = (Some(args.session.as_str()), args.language.asked());
            let body = Body { session_id, input: Some(&code), language, ..Body::default() };
            execute(&client, "repl", body, &args.how)
        }
        Verb::RunFile(RunFile { session, path, given, how }) => {
            let (args, env) = (given.args.as_ref(), given.env.as_ref());
            let body = Body { session_id: Some(&session), path: Some(&path), args, env, ..Body::default() };
            execute(&client, "run-file", body, &how)
        }
        Verb::Run(args) => once(&client, args),
        Verb::Get { execution } => get(&client, &execution),
        Verb::List { session, limit, before } => list(&client, &session, limit, before),
        Verb::Events { execution, after_seq, follow: true } => follow(&client, &execution, after_seq),
        Verb::Events { execution, after_seq, follow: false } => events(&client, &execution, after_seq),
        Verb::Cancel { execution } => {
            let answer = client.post(&["executions", &execution, "cancel"]).patient().send()?;
            answer.show(|execution: Execution| head(&execution))
        }
    }
}

/// The code as given, or stdin.
fn code(given: Option<String>) -> anyhow::Result<String> {
    match given {
        Some(code) if code != "-" => Ok(code),
        _ => local::text(io::stdin().lock(), "stdin"),
    }
}

fn execute(client: &Client, kind: &str, body: Body<'_>, how: &How) -> anyhow::Result<ExitCode> {
    let mut call = client.post(&["executions", kind]).json(&Body { queue: how.queue, ..body })?.patient();
    if how.asynchronous {
        call = call.header("Prefer", "respond-async");
    }
    let answer = with_key(call, how.idempotency_key.as_deref()).send()?;
    if how.asynchronous {
        return answer.show(|execution: Execution| vec![line(&execution.id).into_owned()]);
    }
    show_with_events(client, &answer, head)
}

fn with_key<'a>(call: Call<'a>, key: Option<&str>) -> Call<'a> {
    match key {
        Some(key) => call.header("Idempotency-Key", key),
        None => call,
    }
}

fn once(client: &Client, args: Run) -> anyhow::Result<ExitCode> {
    #[derive(Deserialize)]
    struct Ran {
        execution: Execution,
        events: Vec<Event>,
    }
    let code = if args.file.is_some() { None } else { Some(code(args.code)?) };
    let body = Body {
        template_id: Some(&args.template),
        input: code.as_deref(),
        path: args.file.as_deref(),
        args: args.given.args.as_ref(),
        env: args.given.env.as_ref(),
        worktree_path: args.worktree_path.as_deref(),
        ..Body::default()
    };
    let call = client.post(&["run"]).json(&body)?.patient();
    let answer = with_key(call, args.idempotency_key.as_deref()).send()?;
    if client.output() == Output::Json {
        return answer.print();
    }
    let Ran { execution, events } = answer.parse()?;
    print(client, &execution.id, head(&execution), events)
}

fn get(client: &Client, id: &str) -> anyhow::Result<ExitCode> {
    show_with_events(client, &client.get(&["executions", id]).send()?, |execution| {
        let mut lines = vec![
            format!("Execution ID: {}", line(&execution.id)),
            format!("Session ID: {}", line(&execution.session_id)),
            format!("Kind: {}", line(&execution.kind)),
            format!("Status: {}", line(&execution.status)),
            format!("Started: {}", line(&seconds(&execution.started_at))),
        ];
        lines.extend(execution.ended_at.iter().map(|at| format!("Ended: {}", line(&seconds(at)))));
        let texts = [("Input", &execution.input), ("Path", &execution.path)];
        lines.extend(texts.iter().filter(|(_, text)| !text.is_empty()).map(|(title, text)| format!("{title}: {text}")));
        lines.extend(outcome(execution));
        lines
    })
}

/// What `repl` and `run-file` print before the events.
fn head(execution: &Execution) -> Vec<String> {
    let mut lines =
        vec![format!("Execution ID: {}", line(&execution.id)), format!("Status: {}", line(&execution.status))];
    lines.extend(outcome(execution));
    lines
}

fn outcome(execution: &Execution) -> impl Iterator<Item = String> {
    let result = execution.result.iter().map(|result| format!("Result: {}", result.get()));
    result.chain(execution.error.iter().map(|error| format!("Error: {}", error.get())))
}

/// Title of the events, after a blank line.
const EVENTS_TITLE: &str = "\nEvents:";

fn show_with_events(
    client: &Client,
    answer: &Answer,
    lines: impl FnOnce(&Execution) -> Vec<String>,
) -> anyhow::Result<ExitCode> {
    if client.output() == Output::Json {
        return answer.print();
    }
    let execution: Execution = answer.parse()?;
    print(client, &execution.id, lines(&execution), Vec::new())
}

/// Prints `lines`, then the events of an execution, of which `known` are the first. The others are printed while they
/// arrive: there may be a million.
fn print(client: &Client, execution: &str, lines: Vec<String>, known: Vec<Event>) -> anyhow::Result<ExitCode> {
    let mut page = Page::default();
    for line in lines {
        page.line(&line)?;
    }
    let mut title = Some(EVENTS_TITLE);
    let after = known.last().map_or(0, |event| event.seq);
    let mut add = |event: Event| {
        if let Some(title) = title.take() {
            page.line(title)?;
        }
        Ok(page.line(&format!("[{}] {}: {}", event.seq, line(&event.kind), event.payload.get()))?)
    };
    known.into_iter().try_for_each(&mut add)?;
    client.get(&["executions", execution, "events"]).query("after_seq", after).each(add)?;
    page.end()?;
    Ok(ExitCode::SUCCESS)
}

fn list(client: &Client, session: &str, limit: u32, before: Option<String>) -> anyhow::Result<ExitCode> {
    let call = client.get(&["executions"]).query("session_id", session).query("limit", limit);
    call.query_if("before", before).send()?.show(|executions: Vec<Execution>| {
        let started: Vec<String> = executions.iter().map(|execution| seconds(&execution.started_at)).collect();
        let rows = executions.iter().zip(&started);
        LIST.show(rows.map(|(e, started)| [&*e.id, &e.kind, &e.status, started]), "No executions found")
    })
}

fn row(event: &Event) -> String {
    EVENTS.row(&[&event.seq.to_string(), clock(&event.ts), &event.kind, event.payload.get()])
}

fn events(client: &Client, execution: &str, after: u64) -> anyhow::Result<ExitCode> {
    let json = client.output() == Output::Json;
    let call = client.get(&["executions", execution, "events"]).query("after_seq", after);
    let mut page = Page::default();
    let mut count = 0_u64;
    // Laid out as the whole list would be, without having to hold it.
    let mut held = None::<String>;
    call.each(|raw: Box<RawValue>| {
        count += 1;
        if json {
            let indented = printing::indent(raw.get()).replace('\n', "\n  ");
            let before = held.replace(format!("  {indented}"));
            page.line(&before.map_or_else(|| "[".to_owned(), |before| before + ","))?;
        } else {
            if count == 1 {
                page.line(&EVENTS.head())?;
            }
            page.line(&row(&serde_json::from_str(raw.get())?))?;
        }
        Ok(())
    })?;
    match (json, held, count) {
        (true, Some(last), _) => page.line(&format!("{last}\n]"))?,
        (true, None, _) => page.line("[]")?,
        (false, _, 0) => page.line("No events found")?,
        (false, ..) => {}
    }
    page.end()?;
    Ok(ExitCode::SUCCESS)
}

fn follow(client: &Client, execution: &str, after: u64) -> anyhow::Result<ExitCode> {
    let json = client.output() == Output::Json;
    let mut any = false;
    client.follow(execution, after, |event, raw| {
        if json {
            return Ok(printing::out(raw)?);
        }
        if !any {
            any = true;
            printing::out(&EVENTS.head())?;
        }
        Ok(printing::out(&row(event))?)
    })?;
    if !any && !json {
        printing::out("No events found")?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_a_header_can_have() {
        assert!(idempotency_key("job-17").is_ok() && idempotency_key(&"x".repeat(255)).is_ok());
        for wrong in ["", "a b", "a\r\nX: y", "ü", &"x".repeat(256)] {
            assert!(idempotency_key(wrong).is_err(), "{wrong}");
        }
    }
}
