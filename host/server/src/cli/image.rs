//! `vm-system image`.
use std::process::ExitCode;
use std::time::Duration;

use model::Limits;
use sandbox::{HostLimit, Origin};
use serde_json::{Value, json};

use super::interrupt::Interrupts;
use super::local::{self, ImageArgs, Local};
use super::{Globals, printing};

/// Look into the image that a set of modules and libraries makes
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Inspect(Inspect),
}

/// Show what a sandbox can call, how large it is, how long it took to build, and how many this machine can hold
///
/// The imports are the whole truth: what is not imported is not linked, so no script can reach it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
struct Inspect {
    #[command(flatten)]
    image: ImageArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  vm-system image inspect                                without modules the only import is the session itself
  vm-system image inspect --module fs
  vm-system image inspect --library lodash.js --json | jq .sizes

A built-in or unknown module is refused with exit status 2.";

/// Runs the subcommand.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let Command::Inspect(inspect) = args.command;
    local::settle(execute(&inspect, globals))
}

fn execute(args: &Inspect, globals: &Globals) -> anyhow::Result<ExitCode> {
    // Nothing runs here: Ctrl-C ends a build.
    let _interrupts = Interrupts::listen()?;
    let local = Local::open(&args.image, Limits::default().mem_mb, globals)?;
    let machine = sandbox::host_limits();
    let text = if args.json { serde_json::to_string(&object(&local, &machine))? } else { table(&local, &machine) };
    printing::out(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn modules(local: &Local) -> Vec<&'static sandbox::Module> {
    let names = &local.recipe.modules;
    local.engine.registry().modules().filter(|module| names.iter().any(|name| name.as_str() == module.name)).collect()
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Built => "built",
        Origin::Disk => "disk",
        Origin::Recompiled => "recompiled",
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn object(local: &Local, machine: &[HostLimit]) -> Value {
    let facts = local.image.facts();
    let modules: Vec<Value> = modules(local)
        .iter()
        .map(|module| json!({"name": module.name, "version": module.version, "interface": module.interface.as_ref().map(|side| side.name)}))
        .collect();
    let libraries: Vec<&str> = local.recipe.libraries.iter().map(sandbox::Library::name).collect();
    // A list: an object would forget the order of the stages.
    let timings: Vec<Value> =
        facts.timings.iter().map(|(stage, time)| json!({"stage": stage, "ms": milliseconds(*time)})).collect();
    json!({
        "hash": local.image.hash(),
        "origin": origin(local.image.origin()),
        "modules": modules,
        "libraries": libraries,
        "imports": facts.imports,
        "exports": facts.exports,
        "sizes": {
            "component_bytes": facts.component_bytes,
            "compiled_bytes": facts.compiled_bytes,
            "heap_bytes": facts.heap_bytes,
            "sealed_bytes": facts.sealed_bytes,
        },
        "timings": timings,
        "host_limits": machine,
    })
}

fn table(local: &Local, machine: &[HostLimit]) -> String {
    let facts = local.image.facts();
    let mut table = Table::default();
    table.section("Image");
    table.row("hash", local.image.hash());
    let origin = match local.image.origin() {
        Origin::Built => "built just now",
        Origin::Disk => "disk, built by an earlier process",
        Origin::Recompiled => "compiled just now, built by an earlier process",
    };
    table.row("origin", origin);
    table.rows("modules", modules(local).iter().map(|module| format!("{} {}", module.name, module.version)));
    table.rows("libraries", local.recipe.libraries.iter().map(|library| library.name().to_owned()));
    table.rows("imports", facts.imports.iter().cloned());
    table.rows("exports", facts.exports.iter().cloned());

    table.section("Sizes");
    table.row("component", &printing::bytes(facts.component_bytes));
    table.row("compiled", &printing::bytes(facts.compiled_bytes));
    table.row("initial heap", &printing::bytes(facts.heap_bytes));
    table.row("sealed holes", &printing::bytes(facts.sealed_bytes));

    table.section(match local.image.origin() {
        Origin::Built => "Build",
        Origin::Disk | Origin::Recompiled => "Build (by that process)",
    });
    for (stage, time) in &facts.timings {
        table.row(stage, &format!("{:>10.3} ms", milliseconds(*time)));
    }
    let total: Duration = facts.timings.iter().map(|(_, time)| *time).sum();
    table.row("all", &format!("{:>10.3} ms", milliseconds(total)));

    table.section("Live sessions that this machine allows");
    for limit in machine {
        let sessions = limit.sessions.map_or_else(|| "?".to_owned(), |count| count.to_string());
        table.row(&limit.name, &format!("{:>10}   {}", sessions, limit.value));
        if let Some(advice) = &limit.advice {
            table.row("", &format!("{:>10}   for more: {advice}", ""));
        }
    }
    table.text
}

/// Sections of two columns.
#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn section(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(title);
        self.text.push('\n');
    }

    fn row(&mut self, name: &str, value: &str) {
        self.text.push_str(format!("  {name:<26}{value}").trim_end());
        self.text.push('\n');
    }

    fn rows(&mut self, name: &str, values: impl Iterator<Item = String>) {
        let mut name = name;
        for value in values {
            self.row(name, &value);
            name = "";
        }
        if !name.is_empty() {
            self.row(name, "-");
        }
    }
}
