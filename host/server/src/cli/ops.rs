//! `vm-system ops`.
use std::process::ExitCode;

use clap::Subcommand;
use serde::Deserialize;

use super::Globals;
use super::client::Client;
use super::printing::{Table, seconds};

/// Ask a server how it is
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system ops health
  vm-system ops runtime-summary | jq .active_sessions
  vm-system ops durability | jq .checkpoints.bytes
  vm-system ops images")]
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
    /// How much of the sessions is on the disk, as JSON
    Durability,
    /// List the images on the disk and those that sessions need
    ///
    /// `current`: new sessions of a template run on it. `old`: only sessions that were made before do. `other`: another guest or
    /// another version of the compiler made it, and the same holds. `gone`: a session needs it, and nothing of it is there.
    Images,
}

/// An image, as far as it is printed.
#[derive(Deserialize)]
struct Image {
    hash: String,
    current: bool,
    same_engine: Option<bool>,
    artifact_bytes: Option<u64>,
    component_bytes: Option<u64>,
    sessions: u64,
    live_sessions: u64,
    used_at: Option<String>,
}

const IMAGES: Table = Table {
    columns: &[
        ("Image", 64),
        ("State", 8),
        ("Compiled", 10),
        ("Component", 10),
        ("Sessions", 8),
        ("Live", 6),
        ("Used", 20),
    ],
    dashes: 132,
};

impl Image {
    fn state(&self) -> &'static str {
        match self {
            Image { artifact_bytes: None, component_bytes: None, .. } => "gone",
            Image { current: true, .. } => "current",
            Image { same_engine: Some(false), .. } => "other",
            _ => "old",
        }
    }

    fn row(&self) -> [String; 7] {
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        let used = self.used_at.as_deref().map_or_else(|| "-".to_owned(), seconds);
        let (sessions, live) = (self.sessions.to_string(), self.live_sessions.to_string());
        let sizes = [bytes(self.artifact_bytes), bytes(self.component_bytes)];
        let [artifact, component] = sizes;
        [self.hash.clone(), self.state().to_owned(), artifact, component, sessions, live, used]
    }
}

/// Prints the answer.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let client = Client::new(globals)?;
    match args.verb {
        Verb::Health => client.get(&["health"]).send()?.print(),
        Verb::RuntimeSummary => client.get(&["runtime", "summary"]).send()?.print(),
        Verb::Durability => client.get(&["ops", "durability"]).send()?.print(),
        Verb::Images => client.get(&["ops", "images"]).send()?.show(|images: Vec<Image>| {
            let rows: Vec<_> = images.iter().map(Image::row).collect();
            IMAGES.show(rows.iter().map(|row| row.each_ref().map(String::as_str)), "No images found")
        }),
    }
}
