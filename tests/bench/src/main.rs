//! Prints figures, as medians, each beside a baseline of the same run. Asserts nothing about time: a machine that is busy
//! or slow moves baseline and figure together, so the ratio is what to read.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and a failure should stop it")]

mod client;
mod compute;
mod density;
mod durable;
mod http;
mod latency;
mod modules;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use report::Report;

/// Measures the engine: image builds, session start, eval, host calls, compute against native QuickJS, durable sessions, density.
#[derive(Parser)]
struct Args {
    /// Only the groups named: image, session, call, modules, fetch (a part of it), compute, limits, stop, http, durable, density.
    groups: Vec<String>,
    /// A JavaScript library to measure with [default: lodash, once `make setup` has fetched it].
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
    /// Live sessions of the larger density figure, and of the server with sessions on the disk.
    #[arg(long, default_value_t = 10_000)]
    live: u32,
    /// Sessions on the disk of the larger figure of durable sessions.
    #[arg(long, default_value_t = 100_000)]
    hibernated: usize,
    /// Write the figures to this file as well.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    // The server that `http` measures is this program, called as `bench serve ...`.
    if std::env::args().nth(1).is_some_and(|first| first == "serve") {
        return server::cli::main();
    }
    run().map_or_else(
        |error| {
            println!("Error: {error:#}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn run() -> anyhow::Result<()> {
    let args = Args::parse();
    let wanted = |group: &str| args.groups.is_empty() || args.groups.iter().any(|name| name == group);
    let fetched = PathBuf::from("target/npm/package/lodash.js");
    let library = match args.library.clone().or_else(|| fetched.exists().then_some(fetched)) {
        Some(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Some(sandbox::Library::new(name, std::fs::read_to_string(&path)?))
        }
        None => None,
    };
    let mut report = Report::new();
    let dir = tempfile::tempdir()?;
    if wanted("image") {
        latency::images(&mut report, library.as_ref())?;
    }
    if wanted("session") {
        latency::sessions(&mut report, dir.path(), library.as_ref())?;
    }
    if wanted("call") {
        latency::host_calls(&mut report, dir.path())?;
    }
    if wanted("modules") {
        modules::measure(&mut report, dir.path())?;
    }
    if !wanted("modules") && wanted("fetch") {
        modules::fetches(&mut report, dir.path())?;
    }
    if wanted("compute") {
        compute::against_native(&mut report, dir.path())?;
    }
    if wanted("limits") {
        compute::cost_of_limits(&mut report, dir.path())?;
    }
    if wanted("stop") {
        compute::lateness(&mut report, dir.path())?;
    }
    if wanted("http") {
        http::serve(&mut report, &std::env::current_dir()?.join("target"), library.as_ref())?;
    }
    if wanted("durable") {
        let target = std::env::current_dir()?.join("target");
        durable::measure(&mut report, dir.path(), &target, args.live, args.hibernated)?;
    }
    if wanted("density") {
        density::live(&mut report, dir.path(), library.as_ref(), args.live)?;
    }
    if let Some(path) = &args.out {
        std::fs::write(path, report.text())?;
    }
    Ok(())
}
