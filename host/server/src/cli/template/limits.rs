//! Settings of a template: what each execution may use, and how it runs.
use std::process::ExitCode;

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use ureq::http::Method;

use super::{Id, JsonObject};
use crate::cli::client::{Call, Client};
use crate::cli::printing::line;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show the settings of a template
    Settings(Id),
    /// Change limits of a template; those that are not named stay
    #[command(after_long_help = "\
Examples:
  vm-system template set-limits T --cpu-ms 500
  vm-system template set-limits T --mem-mb 64 --max-output-kb 1024

The server has ceilings, which its operator sets; beyond them it answers VALIDATION_ERROR with the range.")]
    SetLimits {
        #[command(flatten)]
        id: Id,
        #[command(flatten)]
        limits: Limits,
    },
    /// Change any settings of a template; what is not named stays
    #[command(after_long_help = "\
Examples:
  vm-system template set-settings T --json '{\"limits\": {\"wall_ms\": 10000}, \"runtime\": {\"console\": false}}'")]
    SetSettings {
        #[command(flatten)]
        id: Id,
        /// A part of what `settings --output json` shows
        #[arg(long, value_name = "JSON", value_parser = JsonObject::parse)]
        json: JsonObject,
    },
}

#[derive(Debug, clap::Args, Serialize)]
#[group(required = true, multiple = true)]
pub(super) struct Limits {
    /// CPU time of one execution, milliseconds
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ms: Option<u32>,
    /// Elapsed time of one execution, milliseconds
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_ms: Option<u32>,
    /// JavaScript heap of a session, MiB
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_mb: Option<u32>,
    /// Events of one execution
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_events: Option<u32>,
    /// Console text and result of one execution, KiB
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_kb: Option<u32>,
}

/// The parts of the settings, each as JSON.
#[derive(Deserialize)]
pub(super) struct Settings {
    limits: Box<RawValue>,
    resolver: Box<RawValue>,
    runtime: Box<RawValue>,
}

impl Settings {
    /// A line a part.
    pub(super) fn lines(&self) -> [String; 3] {
        [
            format!("Limits: {}", self.limits.get()),
            format!("Resolver: {}", self.resolver.get()),
            format!("Runtime: {}", self.runtime.get()),
        ]
    }
}

pub(super) fn run(verb: Verb, client: &Client) -> anyhow::Result<ExitCode> {
    let settings = |method, id: &Id| -> Call<'_> { client.call(method, &["templates", &id.template, "settings"]) };
    match verb {
        Verb::Settings(id) => settings(Method::GET, &id).send()?.show(|settings: Settings| settings.lines().to_vec()),
        Verb::SetLimits { id, limits } => {
            changed(settings(Method::PATCH, &id).json(&json!({ "limits": limits }))?, &id)
        }
        Verb::SetSettings { id, json } => changed(settings(Method::PATCH, &id).json(&json)?, &id),
    }
}

fn changed(call: Call<'_>, id: &Id) -> anyhow::Result<ExitCode> {
    call.send()?.show(|settings: Settings| {
        let mut lines = vec![format!("Updated settings of template {}", line(&id.template))];
        lines.extend(settings.lines());
        lines
    })
}
