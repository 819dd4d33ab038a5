//! Whether a package runs here, found by running it: in a sandbox without modules, as images do it.
use model::{LibraryName, Limits};
use sandbox::{Config, Engine, Error, Library, LibraryFacts, Recipe};

use super::bundle::bundle;
use super::package::Package;
use crate::cli::{Globals, local};

/// An engine, started when the first package is there to be tried.
pub(super) struct Trial<'a> {
    globals: &'a Globals,
    engine: Option<Engine>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(globals: &'a Globals) -> Self {
        Trial { globals, engine: None }
    }

    /// The first of the package's entries that runs, as the text of a library; or why none does.
    pub(super) fn choose(
        &mut self,
        name: &LibraryName,
        package: &Package,
    ) -> anyhow::Result<Result<(String, LibraryFacts), String>> {
        let mut reasons: Vec<String> = Vec::new();
        let mut tried: Vec<String> = Vec::new();
        for entry in package.entries() {
            let outcome = match bundle(package, &entry) {
                Ok(text) if tried.contains(&text) => continue,
                Ok(text) => {
                    tried.push(text.clone());
                    self.run(name, &text, package)?.map(|facts| (text, facts))
                }
                Err(error) => Err(format!("{error:#}")),
            };
            match outcome {
                Ok(found) => return Ok(Ok(found)),
                Err(why) => reasons.push(format!("{why} ({})", entry.path)),
            }
        }
        // What is missing says more than how the other entries failed.
        let missing = reasons.iter().position(|why| why.starts_with("it requires"));
        let told = if reasons.is_empty() { None } else { Some(reasons.swap_remove(missing.unwrap_or(0))) };
        Ok(Err(told.unwrap_or_else(|| "it has no JavaScript file to begin with".to_owned())))
    }

    fn run(
        &mut self,
        name: &LibraryName,
        text: &str,
        package: &Package,
    ) -> anyhow::Result<Result<LibraryFacts, String>> {
        let recipe = Recipe { modules: Vec::new(), libraries: vec![Library::new(name.as_str(), text)] };
        let tried = self.engine()?.image(&recipe);
        Ok(match tried {
            Ok(image) => match image.facts().libraries.first() {
                Some(facts) if !facts.empty => Ok(facts.clone()),
                _ => Err("it runs but exports nothing".to_owned()),
            },
            Err(Error::Library { exception, .. }) => Err(reason(&exception.message, package)),
            Err(error) => return Err(error.into()),
        })
    }

    fn engine(&mut self) -> anyhow::Result<&Engine> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::new(Config {
                data_dir: local::user_data_dir(self.globals)?,
                sessions_max: 1,
                mem_mb_max: Limits::default().mem_mb,
                threads: 1,
                ..Config::default()
            })?,
        };
        Ok(self.engine.insert(engine))
    }
}

/// The message of what a package threw, in terms of packages.
fn reason(message: &str, package: &Package) -> String {
    let Some((_, rest)) = message.split_once("Invalid module \"") else { return format!("it throws {message}") };
    let Some((name, _)) = rest.split_once('"') else { return format!("it throws {message}") };
    let what = if name.starts_with('.') {
        "which its archive does not have"
    } else if package.depends_on(name) {
        "another package, and dependencies are not loaded"
    } else {
        "which is not part of it"
    };
    format!("it requires {name:?}, {what}")
}
