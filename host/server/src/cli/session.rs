//! `vm-system session`.
mod file;

use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::Globals;
use super::client::Client;
use super::printing::{Table, line, seconds};

/// Make, list and close sessions: live heaps on a server
///
/// A session is made from a template and keeps its variables from one execution to the next, until it is closed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system session create --template-id T --workspace-id w --base-commit none --worktree-path \"$PWD\"
  vm-system session list --status ready
  vm-system exec repl S '1 + 1'
  vm-system session export S > s.vmsnap
  vm-system session import --worktree-path \"$PWD\" < s.vmsnap
  vm-system session close S

T and S stand for the ids that `template create` and `session create` print.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a session from a template; its libraries and startup files run first
    Create(Create),
    /// List sessions, newest first
    List {
        /// Only those that are starting, ready, crashed or closed
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
        /// So many at most [default: all]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
        /// Only those older than this session: the next page of a list
        #[arg(long, value_name = "SESSION", value_parser = NonEmptyStringValueParser::new())]
        before: Option<String>,
    },
    /// Show a session, and why it crashed if it did
    Get {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
    },
    /// Have a session leave memory now; its next use brings it back as it was
    Hibernate {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
    },
    /// Make sessions that go on from this one's heap, each for itself
    Fork {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
        /// So many
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
        count: u32,
        /// A checkpoint to go on from [default: the heap as it is]
        #[arg(long, value_name = "CHECKPOINT")]
        checkpoint: Option<String>,
    },
    /// Store a session's heap as it is now
    Checkpoint {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
    },
    /// List the checkpoints that a session can go back to, newest first
    Checkpoints {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
    },
    /// Have a session go on from one of its checkpoints, as if nothing had run since
    Restore {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
        /// The checkpoint's id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        checkpoint: String,
    },
    /// Write a session to a file, signed, that goes on from there on any server with the same --share-key
    Export(file::Export),
    /// Make a session that goes on from a file that `export` wrote
    Import(file::Import),
    /// Move a session to what its template is now: image, grants, settings, startup files
    ///
    /// Its heap stays behind. What the function of session.on('save') returns there, as JSON, is what that of session.on('load')
    /// is called with here. Until all of it has worked the session goes on as it was.
    Migrate {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
        /// Take nothing along: needed where the heap can't be brought back
        #[arg(long)]
        discard: bool,
    },
    /// Close a session: what runs is cancelled, the heap is gone, its row and its executions stay
    #[command(visible_alias = "delete")]
    Close {
        /// Its id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        session: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The template to make it from
    #[arg(long, value_name = "ID")]
    template_id: String,
    /// A name of your choice for what the session works on; kept with it
    #[arg(long, value_name = "NAME")]
    workspace_id: String,
    /// A commit or other mark of your choice; kept with the session
    #[arg(long, value_name = "OID")]
    base_commit: String,
    /// Directory on the server's machine that `fs`, imports and `run-file` reach; absolute
    #[arg(long, value_name = "DIR")]
    worktree_path: String,
}

/// A session, as far as it is printed.
#[derive(Deserialize)]
struct Session {
    id: String,
    vm_id: String,
    workspace_id: String,
    base_commit_oid: String,
    worktree_path: String,
    status: String,
    created_at: String,
    closed_at: Option<String>,
    last_error: Option<String>,
}

/// A checkpoint, as far as it is printed.
#[derive(Deserialize)]
struct Checkpoint {
    id: String,
    kind: String,
    seq: u64,
    pages: u32,
    bytes: u64,
    created_at: String,
}

#[derive(Deserialize)]
struct Stored {
    checkpoint: Option<Checkpoint>,
}

const CHECKPOINTS: Table = Table {
    columns: &[("Checkpoint ID", 36), ("Kind", 8), ("Seq", 8), ("Pages", 8), ("Bytes", 10), ("Created", 20)],
    dashes: 96,
};

const TABLE: Table =
    Table { columns: &[("Session ID", 36), ("Template ID", 36), ("Status", 10), ("Created", 20)], dashes: 102 };

/// Asks the server and prints its answer.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let client = Client::new(globals)?;
    match args.verb {
        Verb::Create(create) => self::create(&client, &create),
        Verb::List { status, limit, before } => {
            let call = client.get(&["sessions"]).query_if("status", status);
            call.query_if("limit", limit).query_if("before", before).send()?.show(|sessions: Vec<Session>| {
                let created: Vec<String> = sessions.iter().map(|session| seconds(&session.created_at)).collect();
                let rows = sessions.iter().zip(&created);
                TABLE.show(rows.map(|(s, created)| [&*s.id, &s.vm_id, &s.status, created]), "No sessions found")
            })
        }
        Verb::Get { session } => client.get(&["sessions", &session]).send()?.show(|s: Session| s.lines()),
        Verb::Hibernate { session } => {
            let answer = client.post(&["sessions", &session, "hibernate"]).send()?;
            answer.show(|_: IgnoredAny| vec![format!("Hibernated session: {}", line(&session))])
        }
        Verb::Fork { session, count, checkpoint } => {
            let mut body = json!({ "count": count });
            if let Some(checkpoint) = checkpoint {
                body["checkpoint"] = checkpoint.into();
            }
            client.post(&["sessions", &session, "fork"]).json(&body)?.send()?.show(|forks: Vec<Session>| {
                forks.iter().map(|fork| format!("Created session: {}", line(&fork.id))).collect()
            })
        }
        Verb::Checkpoint { session } => {
            let answer = client.post(&["sessions", &session, "checkpoints"]).send()?;
            answer.show(|stored: Stored| match stored.checkpoint {
                Some(checkpoint) => vec![format!("Stored checkpoint: {}", line(&checkpoint.id))],
                None => vec!["Nothing has run: the session is as its template makes it".to_owned()],
            })
        }
        Verb::Checkpoints { session } => {
            client.get(&["sessions", &session, "checkpoints"]).send()?.show(|checkpoints: Vec<Checkpoint>| {
                let texts: Vec<_> = checkpoints
                    .iter()
                    .map(|c| [c.seq.to_string(), c.pages.to_string(), c.bytes.to_string(), seconds(&c.created_at)])
                    .collect();
                let rows = checkpoints.iter().zip(&texts);
                let rows = rows.map(|(c, [seq, pages, bytes, at])| [&*c.id, &c.kind, seq, pages, bytes, at]);
                CHECKPOINTS.show(rows, "No checkpoints found")
            })
        }
        Verb::Restore { session, checkpoint } => {
            let body = json!({ "checkpoint": checkpoint });
            let answer = client.post(&["sessions", &session, "restore"]).json(&body)?.send()?;
            answer.show(|_: IgnoredAny| vec![format!("Restored session: {}", line(&session))])
        }
        Verb::Export(export) => file::export(&client, &export),
        Verb::Import(import) => file::import(&client, &import),
        Verb::Migrate { session, discard } => {
            // Startup files run before the answer.
            let body = json!({ "discard": discard });
            let answer = client.post(&["sessions", &session, "migrate"]).json(&body)?.patient().send()?;
            answer.show(|_: IgnoredAny| vec![format!("Migrated session: {}", line(&session))])
        }
        Verb::Close { session } => {
            let answer = client.post(&["sessions", &session, "close"]).send()?;
            answer.show(|_: IgnoredAny| vec![format!("Closed session: {}", line(&session))])
        }
    }
}

fn create(client: &Client, create: &Create) -> anyhow::Result<ExitCode> {
    let body = json!({
        "template_id": create.template_id,
        "workspace_id": create.workspace_id,
        "base_commit_oid": create.base_commit,
        "worktree_path": create.worktree_path,
    });
    // Startup files run before the answer.
    client.post(&["sessions"]).json(&body)?.patient().send()?.show(|session: Session| {
        let mut lines =
            vec![format!("Created session: {}", line(&session.id)), format!("Status: {}", line(&session.status))];
        lines.extend(session.origin());
        lines
    })
}

impl Session {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("Session ID: {}", line(&self.id))];
        lines.extend(self.origin());
        lines.push(format!("Status: {}", line(&self.status)));
        lines.push(format!("Created: {}", line(&seconds(&self.created_at))));
        lines.extend(self.closed_at.iter().map(|at| format!("Closed: {}", line(&seconds(at)))));
        lines.extend(self.last_error.iter().map(|error| format!("Last Error: {error}")));
        lines
    }

    /// What it was made from.
    fn origin(&self) -> [String; 4] {
        [
            format!("Template ID: {}", line(&self.vm_id)),
            format!("Workspace ID: {}", line(&self.workspace_id)),
            format!("Base Commit: {}", line(&self.base_commit_oid)),
            format!("Worktree Path: {}", line(&self.worktree_path)),
        ]
    }
}
