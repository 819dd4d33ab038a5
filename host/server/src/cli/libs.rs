//! `vm-system libs`: the library cache, and packages of the npm registry.
mod bundle;
mod config;
mod package;
mod registry;
mod trial;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use model::LibraryName;
use serde_json::{Value, json};

use super::interrupt::Interrupts;
use super::local::{self, usage};
use super::{Globals, Output, printing};
use crate::config::Config;
use crate::libraries::{Libraries, LibraryFile};
use registry::Client;
use trial::Trial;

/// What `download` gets when nothing is named.
const CATALOGUE: [&str; 6] = ["lodash", "moment", "axios", "ramda", "dayjs", "zustand"];
/// Digits of a checksum that a table shows.
const SUM_SHOWN: usize = 12;

/// JavaScript libraries for templates: download from the npm registry, list, remove
///
/// Libraries are files NAME.js in one directory, the library cache, which `serve` reads as well. The name carries the
/// version: a template lists `lodash-4.17.21`, or `lodash` for the newest that is installed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Directory of the libraries: that of the server which is to use them
    #[arg(long, global = true, value_name = "DIR", default_value = Config::LIBRARY_CACHE)]
    library_cache: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  vm-system libs download lodash@4.17.21 dayjs
  vm-system libs list --output json
  vm-system libs cache-info
  vm-system libs remove lodash-4.17.21
  vm-system run use.js --library .vm-cache/libraries/lodash-4.17.21.js

A file that you put into the directory yourself is a library too.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    Download(Download),
    /// List the libraries of the cache
    List,
    /// Show where the cache is and how much it holds
    CacheInfo,
    Remove(Remove),
}

/// Fetch packages, check their integrity, try them, and keep those that run
///
/// Each package is evaluated in a sandbox before it is kept. One that can't run here is told with its reason, the others
/// are fetched all the same, and the exit status is 1. Packages come without dependencies: what needs others can't run.
#[derive(Debug, clap::Args)]
#[command(after_long_help = DOWNLOAD_EXAMPLES)]
struct Download {
    /// NAME, NAME@VERSION, NAME@TAG or NAME@RANGE [default: lodash moment axios ramda dayjs zustand]
    #[arg(value_name = "NAME[@VERSION]")]
    packages: Vec<String>,
    /// The npm registry [default: NPM_CONFIG_REGISTRY, else registry= of .npmrc here, above or at home, else npm's own]
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
}

const DOWNLOAD_EXAMPLES: &str = "\
Examples:
  vm-system libs download                          the usual ones
  vm-system libs download lodash@4.17.21 'ramda@^0.30.0' @scope/package
  vm-system libs download --registry http://127.0.0.1:4873 mine@next

Credentials for a registry are npm's own: //HOST/:_authToken=${TOKEN} in .npmrc, and @scope:registry=URL
gives a scope its own registry. HTTPS_PROXY and SSL_CERT_FILE are heeded.";

/// Remove libraries from the cache
#[derive(Debug, clap::Args)]
struct Remove {
    /// Names as `libs list` shows them
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

/// Runs the subcommand.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let libraries = Libraries::new(args.library_cache);
    local::settle(match args.command {
        Command::Download(download) => fetch(&download, &libraries, globals),
        Command::List => list(&libraries, globals.output),
        Command::CacheInfo => info(&libraries, globals.output),
        Command::Remove(remove) => delete(&remove.names, &libraries, globals.output),
    })
}

/// One package that is kept.
struct Kept {
    package: String,
    version: String,
    file: LibraryFile,
    facts: sandbox::LibraryFacts,
}

fn fetch(args: &Download, libraries: &Libraries, globals: &Globals) -> anyhow::Result<ExitCode> {
    // Ctrl-C ends the command: what is not kept whole is not kept.
    let _interrupts = Interrupts::listen()?;
    let asked: Vec<&str> = match args.packages.as_slice() {
        [] => CATALOGUE.to_vec(),
        packages => packages.iter().map(String::as_str).collect(),
    };
    let wanted = asked.into_iter().map(wish).collect::<anyhow::Result<Vec<_>>>()?;
    let client = Client::new(config::Config::load(args.registry.as_deref())?);
    let mut trial = Trial::new(globals);
    let mut report = Vec::new();
    let mut status = ExitCode::SUCCESS;
    for (package, version) in wanted {
        match one(package, version, &client, &mut trial, libraries) {
            Ok(kept) => report.push(told(&kept, globals.output)?),
            Err(error) if error.is::<local::Usage>() => return Err(error),
            Err(error) => {
                status = ExitCode::FAILURE;
                printing::err(&format!("Error: {error:#}"));
                report.push(json!({ "package": package, "error": format!("{error:#}") }));
            }
        }
    }
    if globals.output == Output::Json {
        printing::out(&serde_json::to_string_pretty(&report)?)?;
    }
    Ok(status)
}

fn one(
    package: &str,
    version: Option<&str>,
    client: &Client,
    trial: &mut Trial<'_>,
    libraries: &Libraries,
) -> anyhow::Result<Kept> {
    let archive = client.fetch(package, version)?;
    let version = archive.version.to_string();
    // A file's name has no slash.
    let name = LibraryName::parse(&format!("{}-{version}", package.replace('/', "+")))
        .with_context(|| format!("{package} {version} can't be the name of a file"))?;
    let unpacked = package::Package::unpack(&archive.bytes).with_context(|| format!("{package} {version}"))?;
    let (text, facts) =
        trial.choose(&name, &unpacked)?.map_err(|why| anyhow::anyhow!("{package} {version} cannot run here: {why}"))?;
    let file = libraries.put(&name, &text);
    let file = file.with_context(|| format!("cannot write to {}", libraries.path().display()))?;
    Ok(Kept { package: package.to_owned(), version, file, facts })
}

/// A line, unless it is all told as JSON at the end.
fn told(kept: &Kept, output: Output) -> anyhow::Result<Value> {
    let Kept { package, version, file, facts } = kept;
    if output == Output::Table {
        let global = match facts.globals.as_slice() {
            [] => format!("require({package:?})"),
            [one] => format!("global {one}"),
            several => format!("globals {}", several.join(", ")),
        };
        printing::out(&format!(
            "Downloaded {package} {version} ({}) as {}, {global}",
            printing::bytes(file.bytes),
            file.name
        ))?;
    }
    Ok(json!({
        "package": package,
        "version": version,
        "name": file.name,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "format": facts.format,
        "globals": facts.globals,
    }))
}

/// `@scope/name@version`: the version begins at the last `@` that is not the first character.
fn wish(text: &str) -> anyhow::Result<(&str, Option<&str>)> {
    let (package, version) = match text.rsplit_once('@') {
        Some((package, version)) if !package.is_empty() => (package, Some(version)),
        _ => (text, None),
    };
    config::path_of(package).map_err(|error| usage(error.to_string()))?;
    Ok((package, version.filter(|version| !version.trim().is_empty())))
}

fn list(libraries: &Libraries, output: Output) -> anyhow::Result<ExitCode> {
    let files = libraries.list().with_context(|| format!("cannot read {}", libraries.path().display()))?;
    match output {
        Output::Json => printing::out(&serde_json::to_string_pretty(&files)?)?,
        Output::Table if files.is_empty() => printing::out("No libraries found")?,
        Output::Table => {
            let width = files.iter().map(|file| file.name.as_str().len()).max().unwrap_or(0).max(24);
            let mut lines = vec![format!("{:<width$}  {:>10}  SHA-256", "NAME", "SIZE")];
            lines.push(format!("{:-<width$}  {:->10}  {:-<SUM_SHOWN$}", "", "", ""));
            for LibraryFile { name, bytes, sha256 } in &files {
                let sum = sha256.get(..SUM_SHOWN).unwrap_or(sha256);
                lines.push(format!("{:<width$}  {:>10}  {sum}", name.as_str(), printing::bytes(*bytes)));
            }
            printing::out(&lines.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn info(libraries: &Libraries, output: Output) -> anyhow::Result<ExitCode> {
    let info = libraries.info().with_context(|| format!("cannot read {}", libraries.path().display()))?;
    printing::out(&match output {
        Output::Json => serde_json::to_string_pretty(&info)?,
        Output::Table => {
            let size = printing::bytes(info.bytes);
            format!("Directory: {}\nLibraries: {}\nSize: {size}", info.directory.display(), info.count)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn delete(names: &[String], libraries: &Libraries, output: Output) -> anyhow::Result<ExitCode> {
    let parsed = names.iter().map(|raw| LibraryName::parse(raw).map_err(|error| usage(format!("{raw:?}: {error}"))));
    let parsed = parsed.collect::<anyhow::Result<Vec<_>>>()?;
    let mut status = ExitCode::SUCCESS;
    let mut removed = Vec::new();
    for name in parsed {
        if libraries.remove(&name).with_context(|| format!("cannot remove {name}"))? {
            if output == Output::Table {
                printing::out(&format!("Removed library: {name}"))?;
            }
            removed.push(name);
            continue;
        }
        status = ExitCode::FAILURE;
        let versions = libraries.list()?.into_iter().map(|file| file.name);
        let versions: Vec<String> =
            versions.filter(|file| LibraryName::split(file.as_str()).0 == name.as_str()).map(String::from).collect();
        let advice = if versions.is_empty() { String::new() } else { format!("; there is {}", versions.join(", ")) };
        printing::err(&format!("Error: library {name} not found{advice}"));
    }
    if output == Output::Json {
        printing::out(&serde_json::to_string_pretty(&json!({ "removed": removed }))?)?;
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_follows_the_last_at_sign() {
        assert_eq!(wish("lodash").unwrap(), ("lodash", None));
        assert_eq!(wish("lodash@4").unwrap(), ("lodash", Some("4")));
        assert_eq!(wish("@s/x").unwrap(), ("@s/x", None));
        assert_eq!(wish("@s/x@next").unwrap(), ("@s/x", Some("next")));
        assert_eq!(wish("x@").unwrap(), ("x", None));
        for wrong in ["", "@", "@1", "../x", "x/y", "@s"] {
            assert!(wish(wrong).unwrap_err().is::<local::Usage>(), "{wrong}");
        }
    }
}
