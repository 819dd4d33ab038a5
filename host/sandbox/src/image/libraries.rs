//! How libraries are evaluated: each in the format in which it works, which is found by trying.
//!
//! A text does not say what it is. One that is a script when evaluated as one stays a script; else it is tried as
//! CommonJS, and what does not parse as either is tried as an ES module. What an attempt that failed has left in the heap
//! is of no library, so the next one starts with a fresh heap: [`Plan`] remembers what was learnt between the two.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Exception, Limits};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::library::{Library, Package, PackageFormat};
use crate::limits::thread_cpu;

/// What a library turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Evaluated in the global scope: UMD, and plain scripts.
    Script,
    /// A function body with `exports`, `require` and `module`.
    CommonJs,
    /// An ES module.
    Module,
}

/// What a library brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryFacts {
    /// As in the recipe.
    pub name: String,
    /// How it was evaluated.
    pub format: Format,
    /// What scripts `require` and `import` it by.
    pub names: Vec<String>,
    /// The globals that it made, or the one that was made for it.
    pub globals: Vec<String>,
    /// Names of what it exports.
    pub exports: Vec<String>,
    /// It exports nothing at all, not even one value without a name.
    pub empty: bool,
}

/// What the prelude answers at the end of a library.
#[derive(Deserialize)]
pub(super) struct Answer {
    globals: Vec<String>,
    exports: Vec<String>,
    empty: bool,
}

/// Which library is tried as what.
pub(super) struct Plan<'a> {
    entries: Vec<Entry<'a>>,
    began: Instant,
    cpu_began: Duration,
    /// What one attempt may use. Once all of them together have used as much, there is no other.
    limits: &'a Limits,
}

struct Entry<'a> {
    library: &'a Library,
    package: Option<Package>,
    format: Format,
    /// No other format will be tried.
    settled: bool,
    /// It works as this, but exports nothing so.
    bare: Option<Format>,
    failures: Vec<Exception>,
}

/// What is to be done about an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It stays so.
    Stays,
    /// In a fresh heap, with another format.
    Again,
}

impl<'a> Plan<'a> {
    /// Made on the thread that evaluates: CPU time is the thread's.
    pub(super) fn new(libraries: &'a [Library], limits: &'a Limits) -> Result<Self, Error> {
        let entries = libraries.iter().map(Entry::new).collect::<Result<_, _>>()?;
        Ok(Plan { entries, began: Instant::now(), cpu_began: thread_cpu(), limits })
    }

    fn is_late(&self) -> bool {
        let over = |used: Duration, max_ms: u32| used >= Duration::from_millis(max_ms.into());
        over(self.began.elapsed(), self.limits.wall_ms)
            || over(thread_cpu().saturating_sub(self.cpu_began), self.limits.cpu_ms)
    }

    /// Libraries in order, with the step that evaluates each.
    pub(super) fn step(&self, index: usize) -> Option<(&'a Library, Step<'_>)> {
        self.entries.get(index).map(|entry| (entry.library, entry.step()))
    }

    /// What becomes of the library at `index` now that it was tried. An error is the library's own.
    pub(super) fn judge(
        &mut self,
        index: usize,
        tried: Result<Answer, Exception>,
    ) -> Result<(Judgement, Option<LibraryFacts>), Error> {
        let late = self.is_late();
        let Some(entry) = self.entries.get_mut(index) else { return Ok((Judgement::Stays, None)) };
        let name = || entry.library.name().to_owned();
        match tried {
            Ok(answer) if entry.settled || !answer.empty || !(entry.may_export_more() || entry.bare.is_some()) => {
                entry.settled = true;
                let Answer { globals, exports, empty } = answer;
                let names = entry.library.names();
                let facts = LibraryFacts { name: name(), format: entry.format, names, globals, exports, empty };
                return Ok((Judgement::Stays, Some(facts)));
            }
            Ok(_) => entry.bare = entry.bare.or(Some(entry.format)),
            // A limit is a limit in every format.
            Err(exception) if entry.settled || late || exception.code.is_some() => {
                return Err(Error::Library { name: name(), exception });
            }
            Err(exception) => entry.failures.push(exception),
        }
        match (entry.next(), entry.bare) {
            (Some(next), _) => entry.format = next,
            (None, Some(bare)) => (entry.format, entry.settled) = (bare, true),
            (None, None) => return Err(Error::Library { name: name(), exception: entry.failure() }),
        }
        Ok((Judgement::Again, None))
    }
}

impl<'a> Entry<'a> {
    fn new(library: &'a Library) -> Result<Self, Error> {
        let package = Package::of_text(library.source()).transpose().map_err(|why| Error::Library {
            name: library.name().to_owned(),
            exception: Exception {
                message: format!("SyntaxError: not a package file: {why}"),
                stack: None,
                line: None,
                column: None,
                code: None,
            },
        })?;
        let format = match package.as_ref().map(|package| package.format) {
            None => Format::Script,
            Some(PackageFormat::CommonJs) => Format::CommonJs,
            Some(PackageFormat::Module) => Format::Module,
        };
        Ok(Entry { library, settled: package.is_some(), package, format, bare: None, failures: Vec::new() })
    }

    /// A script that made no global, yet speaks of exports: as CommonJS it may have some.
    fn may_export_more(&self) -> bool {
        self.format == Format::Script && self.library.source().contains("exports")
    }

    /// The format that is tried after this one.
    fn next(&self) -> Option<Format> {
        let syntax = self.failures.last().is_some_and(is_syntax_error);
        match self.format {
            Format::Script => Some(Format::CommonJs),
            Format::CommonJs if syntax && self.bare.is_none() => Some(Format::Module),
            Format::CommonJs | Format::Module => None,
        }
    }

    /// The most telling of the failures: of the format that the text seems to be written for.
    fn failure(&self) -> Exception {
        let runs = |exception: &&Exception| !is_syntax_error(exception);
        let last_that_ran = self.failures.iter().rev().find(runs);
        let syntax =
            if looks_like_a_module(self.library.source()) { self.failures.last() } else { self.failures.first() };
        let chosen = last_that_ran.or(syntax).cloned();
        // The same error as a script points to the right column.
        let first = self.failures.first().filter(|first| chosen.as_ref().is_some_and(|c| c.message == first.message));
        first.cloned().or(chosen).unwrap_or_else(|| Exception {
            message: "Error: it could not be evaluated".to_owned(),
            stack: None,
            line: None,
            column: None,
            code: None,
        })
    }

    fn step(&self) -> Step<'_> {
        let source = self.library.source();
        match (self.format, &self.package) {
            (Format::Script, _) => Step::Script(source),
            (Format::CommonJs, None) => {
                let files = BTreeMap::from([("index.js", source)]);
                Step::CommonJs(common_js(files, "index.js", &BTreeMap::new()))
            }
            (Format::CommonJs, Some(package)) => {
                let files = package.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
                Step::CommonJs(common_js(files, &package.entry, &package.aliases))
            }
            (Format::Module, None) => {
                let name = self.library.name();
                Step::Module(import(name), BTreeMap::from([(name.to_owned(), self.library.shared_source())]))
            }
            (Format::Module, Some(package)) => {
                let full = |path: &str| format!("{}/{path}", self.library.name());
                Step::Module(import(&full(&package.entry)), modules(package, full))
            }
        }
    }
}

/// How a library is evaluated.
pub(super) enum Step<'a> {
    /// Its own text, as a script.
    Script(&'a str),
    /// A script that makes functions of its files and calls them.
    CommonJs(String),
    /// As a module, with the modules that it may import meanwhile.
    Module(String, BTreeMap<String, Arc<str>>),
}

/// Before each library.
pub(super) const BEGIN: &str = "__library.begin()";

/// After each library: names it, and answers an [`Answer`] as JSON.
pub(super) fn end(library: &Library, step: &Step<'_>) -> String {
    let script = matches!(step, Step::Script(_));
    format!("__library.end({:?}, {:?}, {script})", library.names(), library.global())
}

/// After the last one.
pub(super) const FINISH: &str = "delete globalThis.__library";

/// Every file a function, as Node has it; on the file's own first line, so that positions are right.
fn common_js(files: BTreeMap<&str, &str>, entry: &str, aliases: &BTreeMap<String, String>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut source = "__library.commonjs({ __proto__: null".to_owned();
    for (path, text) in files {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // A comment where it is one in no function.
        let text = if text.starts_with("#!") { Cow::Owned(format!("//{text}")) } else { Cow::Borrowed(text) };
        let body = if path.ends_with(".json") { format!("module.exports = {text}") } else { text.into_owned() };
        source.push_str(&format!(", [{}]: (function (exports, require, module, process) {{{body}\n}})", quoted(path)));
    }
    source.push_str(&format!(" }}, {}, {{ __proto__: null", quoted(entry)));
    for (name, path) in aliases {
        source.push_str(&format!(", [{}]: {}", quoted(name), quoted(path)));
    }
    source.push_str(" })");
    source
}

fn import(name: &str) -> String {
    format!("import * as library from {};\n__library.module(library);", serde_json::Value::from(name))
}

/// The modules of a package by the names that the engine asks for: paths joined to the library's name, and bare names as
/// they are.
fn modules(package: &Package, full: impl Fn(&str) -> String) -> BTreeMap<String, Arc<str>> {
    let mut modules = BTreeMap::new();
    for (path, text) in &package.files {
        let json = path.ends_with(".json");
        let text = if json { format!("export default {text}") } else { text.clone() };
        modules.insert(full(path), text.into());
    }
    for (name, path) in &package.aliases {
        // One module under two names would be two: the second hands on what the first exports.
        let target = serde_json::Value::from(full(path));
        let text: Arc<str> = format!(
            "export * from {target};\nimport * as all from {target};\nconst value = all.default;\nexport {{ value as default }};"
        )
        .into();
        let asked = name.strip_prefix("./").map_or_else(|| name.clone(), &full);
        modules.insert(asked, text);
    }
    modules
}

fn is_syntax_error(exception: &Exception) -> bool {
    exception.message.starts_with("SyntaxError")
}

fn looks_like_a_module(source: &str) -> bool {
    let begins = |line: &str| ["import", "export"].iter().any(|word| line.trim_start().starts_with(word));
    source.lines().any(begins) || source.contains(";export") || source.contains("}export")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thrown(message: &str) -> Result<Answer, Exception> {
        Err(Exception { message: message.to_owned(), stack: None, line: None, column: None, code: None })
    }

    fn answer(empty: bool) -> Result<Answer, Exception> {
        Ok(Answer { globals: Vec::new(), exports: Vec::new(), empty })
    }

    fn formats(source: &str, attempts: Vec<Result<Answer, Exception>>) -> (Vec<Format>, Result<Format, String>) {
        let libraries = [Library::new("x", source)];
        let limits = Limits::default();
        let mut plan = Plan::new(&libraries, &limits).unwrap();
        let mut tried = Vec::new();
        for attempt in attempts {
            tried.push(plan.entries[0].format);
            match plan.judge(0, attempt) {
                Ok((Judgement::Again, _)) => {}
                Ok((Judgement::Stays, facts)) => return (tried, Ok(facts.unwrap().format)),
                Err(error) => return (tried, Err(error.to_string())),
            }
        }
        panic!("undecided after {tried:?}");
    }

    #[test]
    fn formats_are_tried_in_order() {
        use Format::{CommonJs, Module, Script};
        assert_eq!(formats("var x", vec![answer(false)]), (vec![Script], Ok(Script)));
        assert_eq!(formats("let x", vec![answer(true)]), (vec![Script], Ok(Script)));
        let exports = || thrown("ReferenceError: exports is not defined");
        assert_eq!(formats("exports.a = 1", vec![exports(), answer(false)]), (vec![Script, CommonJs], Ok(CommonJs)));
        let syntax = || thrown("SyntaxError: no");
        let all = vec![Script, CommonJs, Module];
        assert_eq!(formats("export let x", vec![syntax(), syntax(), answer(false)]), (all.clone(), Ok(Module)));
        // It speaks of exports and makes no global: CommonJS if that yields some, else what it was.
        assert_eq!(formats("exports", vec![answer(true), answer(false)]), (vec![Script, CommonJs], Ok(CommonJs)));
        let back = formats("exports", vec![answer(true), answer(true), answer(true)]);
        assert_eq!(back, (vec![Script, CommonJs, Script], Ok(Script)));
    }

    #[test]
    fn a_build_that_used_up_its_time_tries_nothing_else() {
        let libraries = [Library::new("x", "export let x")];
        let attempt = |limits: Limits| {
            Plan::new(&libraries, &limits).unwrap().judge(0, thrown("SyntaxError: no")).map(|(judgement, _)| judgement)
        };
        assert_eq!(attempt(Limits::default()).unwrap(), Judgement::Again);
        assert!(attempt(Limits { cpu_ms: 0, ..Limits::default() }).unwrap_err().to_string().contains("SyntaxError"));
        assert!(attempt(Limits { wall_ms: 0, ..Limits::default() }).is_err());
        let limit = Exception { code: Some(model::ErrorCode::CpuLimitExceeded), ..thrown("limit").err().unwrap() };
        let limits = Limits::default();
        assert!(
            Plan::new(&libraries, &limits).unwrap().judge(0, Err(limit)).is_err(),
            "a limit is one in every format"
        );
    }

    #[test]
    fn the_most_telling_failure_is_told() {
        let (_, told) = formats("x", vec![thrown("ReferenceError: module"), thrown("Error: Invalid module \"react\"")]);
        assert!(told.unwrap_err().contains("react"));
        let syntax = |position: &str| thrown(&format!("SyntaxError: {position}"));
        let (_, told) = formats("function (", vec![syntax("script"), syntax("common"), syntax("module")]);
        assert!(told.unwrap_err().contains("script"));
        let (_, told) = formats("export let", vec![syntax("script"), syntax("common"), syntax("module")]);
        assert!(told.unwrap_err().contains("module"));
    }
}
