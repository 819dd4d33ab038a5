//! `vm-system ops`.
use std::process::ExitCode;

use clap::Subcommand;

use super::Globals;
use super::client::Client;

/// Ask a server how it is
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system ops health
  vm-system ops runtime-summary | jq .active_sessions")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Whether the server answers, as JSON
    Health,
    /// What is live, as JSON
    RuntimeSummary,
}

/// Prints the answer.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let client = Client::new(globals)?;
    match args.verb {
        Verb::Health => client.get(&["health"]).send()?.print(),
        Verb::RuntimeSummary => client.get(&["runtime", "summary"]).send()?.print(),
    }
}
