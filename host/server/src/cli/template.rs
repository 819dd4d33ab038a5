//! `vm-system template`.
mod grants;
mod limits;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use ureq::http::Method;

use super::Globals;
use super::client::Client;
use super::local::{self, usage};
use super::printing::{Table, line, seconds};

/// Make templates on a server and say what their sessions hold
///
/// A template lists native modules, and its sessions hold exactly those: the list of modules is the only list of grants.
/// Libraries are JavaScript that is there before the session starts, startup files run when it starts, and settings limit
/// what each execution may use. Changes hold for sessions that are made after them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system template create --name reports
  vm-system template add-module T --name fs
  vm-system template add-library T --name lodash
  vm-system template add-startup T --path setup.js --order 10
  vm-system template set-limits T --cpu-ms 500 --mem-mb 64
  vm-system template export T > reports.json
  vm-system template types T > vm.d.ts
  vm-system template import reports.json --name reports-2

T stands for the id that `create` prints.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a template; without --from it lists nothing and has the default limits
    Create {
        /// Its name, unique on the server
        #[arg(long, value_name = "NAME")]
        name: String,
        /// The engine: quickjs; goja is accepted for older clients and runs on it [default: quickjs]
        #[arg(long, value_name = "ENGINE")]
        engine: Option<String>,
        /// Begin with what this file of `template export` says; `-` reads stdin
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// List templates, newest first
    List,
    /// Show a template with all that belongs to it
    Get(Id),
    /// Delete a template; sessions that were made from it live on
    Delete(Id),
    /// Give a template another name
    Rename {
        #[command(flatten)]
        id: Id,
        /// The new name
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Let a template start sessions again
    Activate(Id),
    /// Keep a template from starting sessions; those that it has go on
    Deactivate(Id),
    /// Make a template that is like another one
    Clone {
        #[command(flatten)]
        id: Id,
        /// The new one's name
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Print a template as a document that `import` and `create --from` take
    Export(Id),
    /// Print TypeScript declarations of everything that its sessions see, for editors and `tsc`
    Types(Id),
    /// Make a template from a document of `export`
    Import {
        /// The document; `-` reads stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Its name [default: the document's]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    #[command(flatten)]
    Grants(grants::Verb),
    #[command(flatten)]
    Limits(limits::Verb),
}

/// The template that a verb is about.
#[derive(Debug, clap::Args)]
struct Id {
    /// The template's id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    template: String,
}

/// A JSON object as it was typed.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct JsonObject(Box<RawValue>);

impl JsonObject {
    /// For clap.
    pub fn parse(text: &str) -> Result<JsonObject, String> {
        let raw: Box<RawValue> = serde_json::from_str(text).map_err(|e| format!("invalid JSON: {e}"))?;
        if !raw.get().starts_with('{') {
            return Err("not a JSON object: {\"key\": ...}".to_owned());
        }
        Ok(JsonObject(raw))
    }
}

/// A template, as far as it is printed.
#[derive(Deserialize)]
struct Template {
    id: String,
    name: String,
    engine: String,
    is_active: bool,
    #[serde(default)]
    exposed_modules: Vec<String>,
    #[serde(default)]
    libraries: Vec<String>,
    created_at: String,
    updated_at: String,
}

/// A template with all that belongs to it.
#[derive(Deserialize)]
struct Whole {
    template: Template,
    settings: Option<limits::Settings>,
    #[serde(default)]
    capabilities: Vec<grants::Capability>,
    #[serde(default)]
    startup_files: Vec<grants::StartupFile>,
}

const TABLE: Table = Table { columns: &[("ID", 36), ("Name", 20), ("Engine", 10), ("Active", 10)], dashes: 84 };

/// Asks the server and prints its answer.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let client = Client::new(globals)?;
    match args.verb {
        Verb::Create { name, engine, from } => {
            let mut document = from.map_or_else(|| Ok(Document::default()), |path| Document::read(&path))?;
            document.set("name", Some(name))?;
            document.set("engine", engine)?;
            create(&client, &document)
        }
        Verb::Import { file, name } => {
            let mut document = Document::read(&file)?;
            document.set("name", name)?;
            create(&client, &document)
        }
        Verb::List => client.get(&["templates"]).send()?.show(|templates: Vec<Template>| {
            let rows = templates.iter().map(|t| [&*t.id, &t.name, &t.engine, yes(t.is_active)]);
            TABLE.show(rows, "No templates found")
        }),
        Verb::Get(Id { template }) => client.get(&["templates", &template]).send()?.show(|whole: Whole| whole.lines()),
        Verb::Delete(Id { template }) => {
            let answer = client.call(Method::DELETE, &["templates", &template]).send()?;
            answer.show(|_: IgnoredAny| vec![format!("Deleted template: {}", line(&template))])
        }
        Verb::Rename { id, name } => {
            let said = format!("Renamed template: {} to {}", line(&id.template), line(&name));
            change(&client, &id, &json!({ "name": name }), said)
        }
        Verb::Activate(id) => {
            let said = format!("Activated template: {}", line(&id.template));
            change(&client, &id, &json!({ "is_active": true }), said)
        }
        Verb::Deactivate(id) => {
            let said = format!("Deactivated template: {}", line(&id.template));
            change(&client, &id, &json!({ "is_active": false }), said)
        }
        Verb::Clone { id, name } => {
            let call = client.post(&["templates", &id.template, "clone"]);
            call.json(&json!({ "name": name }))?.send()?.show(|template: Template| vec![template.created()])
        }
        Verb::Export(Id { template }) => client.get(&["templates", &template, "export"]).send()?.print(),
        Verb::Types(Id { template }) => client.get(&["templates", &template, "types"]).print_text("text/plain"),
        Verb::Grants(verb) => grants::run(verb, &client),
        Verb::Limits(verb) => limits::run(verb, &client),
    }
}

fn create(client: &Client, document: &Document) -> anyhow::Result<ExitCode> {
    client.post(&["templates"]).json(document)?.send()?.show(|template: Template| vec![template.created()])
}

fn change(client: &Client, id: &Id, body: &impl Serialize, said: String) -> anyhow::Result<ExitCode> {
    let call = client.call(Method::PATCH, &["templates", &id.template]).json(body)?;
    call.send()?.show(|_: IgnoredAny| vec![said])
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// What `export` prints: fields as they were written, each once.
#[derive(Default, Deserialize, Serialize)]
#[serde(transparent)]
struct Document(std::collections::BTreeMap<String, Box<RawValue>>);

impl Document {
    fn read(path: &std::path::Path) -> anyhow::Result<Document> {
        let text = if path.as_os_str() == "-" {
            local::text(io::stdin().lock(), "stdin")?
        } else {
            let file = File::open(path).map_err(|e| usage(format!("cannot read {}: {e}", path.display())))?;
            local::text(file, &path.display().to_string())?
        };
        serde_json::from_str(&text).map_err(|e| usage(format!("{} is no template document: {e}", path.display())))
    }

    fn set(&mut self, field: &str, value: Option<String>) -> anyhow::Result<()> {
        if let Some(value) = value {
            self.0.insert(field.to_owned(), serde_json::value::to_raw_value(&value)?);
        }
        Ok(())
    }
}

impl Template {
    fn created(&self) -> String {
        format!("Created template: {} (ID: {})", line(&self.name), line(&self.id))
    }
}

impl Whole {
    /// A section that has nothing in it is left out.
    fn lines(&self) -> Vec<String> {
        let template = &self.template;
        let mut lines = vec![
            format!("Template: {}", line(&template.name)),
            format!("ID: {}", line(&template.id)),
            format!("Engine: {}", line(&template.engine)),
            format!("Active: {}", template.is_active),
            format!("Created: {}", line(&seconds(&template.created_at))),
            format!("Updated: {}", line(&seconds(&template.updated_at))),
        ];
        let mut section = |title: &str, entries: Vec<String>| {
            if !entries.is_empty() {
                lines.push(format!("\n{title}:"));
                lines.extend(entries.into_iter().map(|entry| format!("  {entry}")));
            }
        };
        let list = |names: &[String]| names.iter().map(|name| format!("- {}", line(name))).collect();
        section("Settings", self.settings.iter().flat_map(limits::Settings::lines).collect());
        section("Capabilities", self.capabilities.iter().map(grants::Capability::entry).collect());
        section("Startup Files", self.startup_files.iter().map(grants::StartupFile::entry).collect());
        section("Exposed Modules", list(&template.exposed_modules));
        section("Loaded Libraries", list(&template.libraries));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_stay_as_they_were_typed() {
        let object = JsonObject::parse(" {\"b\": 1.50, \"a\": []} ").unwrap();
        assert_eq!(serde_json::to_string(&object).unwrap(), "{\"b\": 1.50, \"a\": []}");
        for wrong in ["", "1", "[]", "null", "{", "{} x", "{a: 1}"] {
            assert!(JsonObject::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_document_keeps_what_is_not_set() {
        let mut document: Document = serde_json::from_str(r#"{"name":"a","settings":{"x":1.0}}"#).unwrap();
        document.set("name", Some("b\"".to_owned())).unwrap();
        document.set("engine", None).unwrap();
        assert_eq!(serde_json::to_string(&document).unwrap(), r#"{"name":"b\"","settings":{"x":1.0}}"#);
    }
}
