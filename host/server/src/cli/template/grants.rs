//! What a template's sessions hold: modules, libraries, startup files; and the labels that are called capabilities.
use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use ureq::http::Method;

use super::{Id, JsonObject, yes};
use crate::cli::client::Client;
use crate::cli::printing::{Table, line};

const LABELS: &str = "\
Capabilities are labels that older clients keep with a template: they are stored and listed, and they grant nothing.
What sessions can reach is the list of modules and nothing else: see `vm-system template add-module --help`.";

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Grant a native module: new sessions can `require` it
    #[command(after_long_help = "\
Examples:
  vm-system template add-module T --name fs
  vm-system template add-module T --name database --config '{\"readonly\": true}'

The list of modules is the only list of grants: what is not listed is not linked into the session, so there is nothing
that a script could call. `vm-system template list-available-modules` tells what there is.")]
    AddModule {
        #[command(flatten)]
        of: Named,
        /// What of the module is granted, a JSON object; each module says what it takes
        #[arg(long, value_name = "JSON", value_parser = JsonObject::parse)]
        config: Option<JsonObject>,
    },
    /// Change what of a listed module is granted
    SetModuleConfig {
        #[command(flatten)]
        of: Named,
        /// The whole of it, a JSON object
        #[arg(long, value_name = "JSON", value_parser = JsonObject::parse)]
        config: JsonObject,
    },
    /// Take a module away from new sessions
    RemoveModule(Named),
    /// List the modules of a template, one a line
    #[command(visible_alias = "list-module")]
    ListModules {
        #[command(flatten)]
        id: Id,
        /// With what of each is granted
        #[arg(long)]
        detail: bool,
    },
    /// Load a library into new sessions before they start
    #[command(after_long_help = "\
Examples:
  vm-system template add-library T --name lodash-4.17.21
  vm-system template add-library T --name lodash          the newest one that is installed

`vm-system template list-available-libraries` tells what is installed, `vm-system libs` installs more.")]
    AddLibrary(Named),
    /// Take a library away from new sessions
    RemoveLibrary(Named),
    /// List the libraries of a template, one a line, in the order they are loaded
    #[command(visible_alias = "list-library")]
    ListLibraries(Id),
    /// Run a file of the worktree when a session starts
    AddStartup {
        #[command(flatten)]
        id: Id,
        /// The file, relative to the worktree
        #[arg(long, value_name = "PATH")]
        path: String,
        /// Its place: lower ones run first
        #[arg(long, value_name = "N", default_value_t = 10, allow_negative_numbers = true)]
        order: i64,
        /// How it runs: eval, as a script; module, as an ES module
        #[arg(long, value_name = "MODE", default_value = "eval")]
        mode: String,
    },
    /// Take a startup file away
    RemoveStartup {
        #[command(flatten)]
        id: Id,
        /// The startup file's id, as `list-startup` shows it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        startup: String,
    },
    /// List the startup files of a template in the order they run
    ListStartup(Id),
    /// Keep a label with a template; it grants nothing
    #[command(after_long_help = LABELS)]
    AddCapability {
        #[command(flatten)]
        id: Id,
        /// Its name
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Its kind: module, global, fs, net or env
        #[arg(long, value_name = "KIND", default_value = "module")]
        kind: String,
        /// A JSON object that is kept with it
        #[arg(long, value_name = "JSON", value_parser = JsonObject::parse, default_value = "{}")]
        config: JsonObject,
        /// A mark that is kept with it
        #[arg(
            long,
            value_name = "BOOL",
            num_args = 0..=1,
            require_equals = true,
            default_value_t = true,
            default_missing_value = "true",
            action = clap::ArgAction::Set
        )]
        enabled: bool,
    },
    /// Take a label away from a template
    #[command(after_long_help = LABELS)]
    RemoveCapability {
        #[command(flatten)]
        id: Id,
        /// The capability's id, as `list-capabilities` shows it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        capability: String,
    },
    /// List the labels of a template; they grant nothing
    #[command(after_long_help = LABELS)]
    ListCapabilities(Id),
    /// Print the modules that templates can list, as JSON: names, documentation, interfaces
    ListAvailableModules,
    /// Print the libraries that templates can list, as JSON
    ListAvailableLibraries,
}

#[derive(Debug, clap::Args)]
pub(super) struct Named {
    #[command(flatten)]
    id: Id,
    /// The name
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
}

impl Named {
    fn template(&self) -> &str {
        &self.id.template
    }

    /// `Added module: fs to template T`
    fn said(&self, what: &str, direction: &str) -> String {
        format!("{what}: {} {direction} template {}", line(&self.name), line(self.template()))
    }
}

/// What a module is granted with.
#[derive(Serialize)]
struct Grant<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a JsonObject>,
}

/// What a label is made from.
#[derive(Serialize)]
struct Label<'a> {
    kind: &'a str,
    name: &'a str,
    enabled: bool,
    config: &'a JsonObject,
}

/// A label.
#[derive(Deserialize)]
pub(super) struct Capability {
    id: String,
    kind: String,
    name: String,
    enabled: bool,
    config: Box<RawValue>,
}

impl Capability {
    /// In the section of `template get`.
    pub(super) fn entry(&self) -> String {
        let enabled = if self.enabled { "enabled" } else { "disabled" };
        format!("[{enabled}] {}:{} (config: {})", line(&self.kind), line(&self.name), self.config.get())
    }
}

/// A file that runs when a session starts.
#[derive(Deserialize)]
pub(super) struct StartupFile {
    id: String,
    path: String,
    order_index: i64,
    mode: String,
}

impl StartupFile {
    /// In the section of `template get`.
    pub(super) fn entry(&self) -> String {
        format!("[{}] {} (mode: {})", self.order_index, line(&self.path), line(&self.mode))
    }
}

const CAPABILITIES: Table =
    Table { columns: &[("Kind", 10), ("Name", 20), ("Enabled", 10), ("Config", 30), ("ID", 0)], dashes: 80 };
const STARTUP: Table = Table { columns: &[("Order", 5), ("Mode", 10), ("Path", 50), ("ID", 0)], dashes: 70 };

pub(super) fn run(verb: Verb, client: &Client) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::AddModule { of, config } => {
            let body = Grant { name: Some(&of.name), config: config.as_ref() };
            let call = client.post(&["templates", of.template(), "modules"]).json(&body)?;
            call.send()?.show(|_: IgnoredAny| vec![of.said("Added module", "to")])
        }
        Verb::SetModuleConfig { of, config } => {
            let call = client.call(Method::PUT, &["templates", of.template(), "modules", &of.name]);
            let answer = call.json(&Grant { name: None, config: Some(&config) })?.send()?;
            answer.show(|_: IgnoredAny| vec![of.said("Configured module", "of")])
        }
        Verb::RemoveModule(of) => remove(client, &of, "modules", "Removed module"),
        Verb::ListModules { id, detail: false } => names(client, &id, "modules", "No modules configured"),
        Verb::ListModules { id, detail: true } => list_grants(client, &id),
        Verb::AddLibrary(of) => {
            let call = client.post(&["templates", of.template(), "libraries"]).json(&json!({ "name": of.name }))?;
            call.send()?.show(|_: IgnoredAny| vec![of.said("Added library", "to")])
        }
        Verb::RemoveLibrary(of) => remove(client, &of, "libraries", "Removed library"),
        Verb::ListLibraries(id) => names(client, &id, "libraries", "No libraries configured"),
        Verb::AddStartup { id, path, order, mode } => {
            let body = json!({ "path": path, "order_index": order, "mode": mode });
            let call = client.post(&["templates", &id.template, "startup-files"]).json(&body)?;
            call.send()?.show(|file: StartupFile| {
                let (path, order) = (line(&file.path), file.order_index);
                vec![format!("Added startup file: {path} (order: {order}) to template {}", line(&id.template))]
            })
        }
        Verb::RemoveStartup { id, startup } => remove_by_id(client, &id, "startup-files", &startup, "startup file"),
        Verb::ListStartup(id) => list_startup(client, &id),
        Verb::AddCapability { id, name, kind, config, enabled } => {
            let body = Label { kind: &kind, name: &name, enabled, config: &config };
            let call = client.post(&["templates", &id.template, "capabilities"]).json(&body)?;
            call.send()?.show(|label: Capability| {
                let (kind, name) = (line(&label.kind), line(&label.name));
                vec![format!("Added capability: {kind}:{name} to template {}", line(&id.template))]
            })
        }
        Verb::RemoveCapability { id, capability } => {
            remove_by_id(client, &id, "capabilities", &capability, "capability")
        }
        Verb::ListCapabilities(id) => list_capabilities(client, &id),
        Verb::ListAvailableModules => client.get(&["modules"]).send()?.print(),
        Verb::ListAvailableLibraries => client.get(&["libraries"]).send()?.print(),
    }
}

fn remove(client: &Client, of: &Named, list: &str, said: &str) -> anyhow::Result<ExitCode> {
    let answer = client.call(Method::DELETE, &["templates", of.template(), list, &of.name]).send()?;
    answer.show(|_: IgnoredAny| vec![of.said(said, "from")])
}

fn remove_by_id(client: &Client, of: &Id, list: &str, id: &str, what: &str) -> anyhow::Result<ExitCode> {
    let answer = client.call(Method::DELETE, &["templates", &of.template, list, id]).send()?;
    answer.show(|_: IgnoredAny| vec![format!("Removed {what}: {} from template {}", line(id), line(&of.template))])
}

fn names(client: &Client, of: &Id, list: &str, empty: &str) -> anyhow::Result<ExitCode> {
    client.get(&["templates", &of.template, list]).send()?.show(|names: Vec<String>| match names.as_slice() {
        [] => vec![empty.to_owned()],
        names => names.iter().map(|name| line(name).into_owned()).collect(),
    })
}

fn list_grants(client: &Client, of: &Id) -> anyhow::Result<ExitCode> {
    #[derive(Deserialize)]
    struct Granted {
        name: String,
        config: Box<RawValue>,
    }
    let call = client.get(&["templates", &of.template, "modules"]).query("detail", true);
    call.send()?.show(|grants: Vec<Granted>| match grants.as_slice() {
        [] => vec!["No modules configured".to_owned()],
        grants => grants.iter().map(|grant| format!("{} {}", line(&grant.name), grant.config.get())).collect(),
    })
}

fn list_startup(client: &Client, of: &Id) -> anyhow::Result<ExitCode> {
    client.get(&["templates", &of.template, "startup-files"]).send()?.show(|files: Vec<StartupFile>| {
        let orders: Vec<String> = files.iter().map(|file| file.order_index.to_string()).collect();
        let rows = files.iter().zip(&orders).map(|(file, order)| [&**order, &file.mode, &file.path, &file.id]);
        STARTUP.show(rows, "No startup files found")
    })
}

fn list_capabilities(client: &Client, of: &Id) -> anyhow::Result<ExitCode> {
    client.get(&["templates", &of.template, "capabilities"]).send()?.show(|labels: Vec<Capability>| {
        let rows = labels.iter().map(|l| [&*l.kind, &l.name, yes(l.enabled), l.config.get(), &l.id]);
        CAPABILITIES.show(rows, "No capabilities found")
    })
}
