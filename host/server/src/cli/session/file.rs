//! Sessions as files: `session export` and `session import`.
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;

use super::Session;
use crate::cli::client::Client;
use crate::cli::local::usage;
use crate::cli::printing::line;
use crate::snapfile;

/// Flags of `session export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    session: String,
    /// Where to write it; replaced once all of it is there [default: stdout]
    file: Option<PathBuf>,
    /// A checkpoint to take [default: the heap as it is]
    #[arg(long, value_name = "CHECKPOINT")]
    checkpoint: Option<String>,
}

/// Flags of `session import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// What `session export` wrote [default: stdin]
    file: Option<PathBuf>,
    /// The template that says what the session may do [default: the one that it was made from]
    #[arg(long = "template", alias = "template-id", value_name = "ID")]
    template: Option<String>,
    /// Directory on the server's machine that `fs`, imports and `run-file` reach; absolute. Required where the session had one
    #[arg(long, value_name = "DIR")]
    worktree_path: Option<String>,
}

/// Asks the server for a session and writes it.
pub fn export(client: &Client, export: &Export) -> anyhow::Result<ExitCode> {
    let call = client.get(&["sessions", &export.session, "export"]).query_if("checkpoint", export.checkpoint.as_ref());
    // The image may have to be made again.
    let call = call.patient();
    let Some(path) = &export.file else {
        let mut out = io::stdout();
        if out.is_terminal() {
            return Err(usage("a session is no text: vm-system session export S > s.vmsnap"));
        }
        call.copy(&mut out)?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    };
    let doing = || format!("cannot write {}", path.display());
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // For its owner alone: the heap is in it as it is.
    let mut file = tempfile::NamedTempFile::new_in(beside).with_context(doing)?;
    call.copy(&mut file)?;
    file.persist(path).with_context(doing)?;
    Ok(ExitCode::SUCCESS)
}

/// Sends a file to the server.
pub fn import(client: &Client, import: &Import) -> anyhow::Result<ExitCode> {
    let mut bytes = Vec::new();
    let max = snapfile::bytes_max(model::Limits::MAX.mem_mb) as u64 + 1;
    match &import.file {
        Some(path) => {
            let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            file.take(max).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
        }
        None => {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                return Err(usage("the session is read from stdin: vm-system session import < s.vmsnap"));
            }
            stdin.take(max).read_to_end(&mut bytes).context("cannot read the session from stdin")?;
        }
    }
    let call = client.post(&["sessions", "import"]).query_if("template", import.template.as_ref());
    let call = call.query_if("worktree_path", import.worktree_path.as_ref()).bytes(bytes);
    // An image may have to be compiled.
    call.patient().send()?.show(|session: Session| vec![format!("Created session: {}", line(&session.id))])
}
