//! `vm-system serve`.
use std::net::SocketAddr;
use std::process::ExitCode;

use super::Globals;

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3210")]
    pub listen: SocketAddr,
}

/// Serves until a signal says to stop.
pub fn run(args: Args, _globals: &Globals) -> anyhow::Result<ExitCode> {
    anyhow::bail!("cannot listen on {} yet", args.listen)
}
