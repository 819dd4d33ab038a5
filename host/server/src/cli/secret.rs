//! `vm-system secret`.
use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use ureq::http::Method;

use super::Globals;
use super::client::Client;
use super::local::usage;
use super::printing::{Table, line, seconds};
use crate::secrets::VALUE_BYTES_MAX;

/// Set, list and remove secrets: named values that scripts use without seeing them
///
/// A script writes {{secret:NAME}} into a header of `fetch`; the server puts the value there, for the origins that the secret
/// and the template approve. Values are kept encrypted and never shown.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system secret set API_TOKEN --origin https://api.example.com < token.txt
  printf %s \"$TOKEN\" | vm-system secret set API_TOKEN --origin https://api.example.com
  vm-system secret list
  vm-system secret remove API_TOKEN")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create or replace a secret; its value is read from stdin, without a line break at its end
    Set {
        /// Its name: letters, digits, `_`, `.` and `-`
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// Where `fetch` may send it; repeat for more [default: nowhere]
        #[arg(long = "origin", value_name = "ORIGIN")]
        origins: Vec<String>,
    },
    /// List secrets, without their values
    List,
    /// Remove a secret
    Remove {
        /// Its name
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
    },
}

/// A secret, as far as it is printed.
#[derive(Deserialize)]
struct Secret {
    name: String,
    origins: Vec<String>,
    updated_at: String,
}

const TABLE: Table = Table { columns: &[("Name", 32), ("Updated", 20), ("Origins", 40)], dashes: 94 };

/// Asks the server and prints its answer.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let client = Client::new(globals)?;
    match args.verb {
        Verb::Set { name, origins } => {
            let body = json!({ "value": value()?, "origins": origins });
            let call = client.call(Method::PUT, &["secrets", &name]).json(&body)?;
            call.send()?.show(|_: IgnoredAny| vec![format!("Set secret: {}", line(&name))])
        }
        Verb::List => client.get(&["secrets"]).send()?.show(|secrets: Vec<Secret>| {
            let rows: Vec<_> =
                secrets.iter().map(|s| (&*s.name, seconds(&s.updated_at), s.origins.join(" "))).collect();
            TABLE.show(rows.iter().map(|(name, updated, origins)| [*name, updated, origins]), "No secrets found")
        }),
        Verb::Remove { name } => {
            let answer = client.call(Method::DELETE, &["secrets", &name]).send()?;
            answer.show(|_: IgnoredAny| vec![format!("Removed secret: {}", line(&name))])
        }
    }
}

/// From stdin: an argument would stand in the shell's history and in the list of processes.
fn value() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(usage("the value is read from stdin: vm-system secret set NAME < FILE"));
    }
    let mut value = String::new();
    stdin.take(VALUE_BYTES_MAX as u64 + 3).read_to_string(&mut value).context("cannot read the value from stdin")?;
    let bare = value.strip_suffix('\n').map_or(value.as_str(), |value| value.strip_suffix('\r').unwrap_or(value));
    Ok(bare.to_owned())
}
