//! `vm-system db`.
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::{Globals, printing};

/// Look after the database file
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system db backup vm-2026-11-23.db              while the server runs
  vm-system --db /var/lib/vm/vm.db db backup /backup/vm.db
  vm-system db check                                takes some seconds a gigabyte

To restore a backup, stop the server and start it with --db on the copy.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy the database to a new file: whole, consistent and compact, also while a server uses it
    Backup {
        /// The copy; it must not exist yet
        #[arg(value_name = "FILE")]
        to: PathBuf,
    },
    /// Look the database over for damage, indexes included, also while a server uses it
    Check,
}

/// Runs the command on the file that `--db` names.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let db = &globals.db;
    match args.command {
        Command::Backup { to } => {
            store::backup(db, &to)?;
            printing::out(&format!("Backed up {} to {} ({})", db.display(), to.display(), size(&to)))?;
        }
        Command::Check => {
            store::check(db)?;
            printing::out(&format!("{} is sound ({})", db.display(), size(db)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn size(path: &Path) -> String {
    printing::bytes(std::fs::metadata(path).map_or(0, |metadata| metadata.len()))
}
