//! The session behind the prompt: evaluates input, obeys commands, answers what Tab asks.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model::{JsType, Value};
use sandbox::{Mode, Outcome};

use super::complete;
use super::scan::Scanner;
use crate::cli::local::{Source, Usage};
use crate::cli::printing::{self, Advice, Quoted};

/// A dot command and what `.help` says about it.
pub type Command = (&'static str, &'static str);

/// The live heap that a prompt talks to: one of this process, or one of a server.
pub trait Heap {
    /// Runs `source` and prints what it says meanwhile.
    fn run(&mut self, source: &Source, mode: Mode) -> anyhow::Result<Outcome>;

    /// The name that `source` has in stack traces.
    fn name<'a>(&self, source: &'a Source) -> &'a str {
        &source.name
    }

    /// Starts anew if the last run, or a completion, ended the heap; says whether it did.
    fn revive(&mut self) -> anyhow::Result<bool> {
        Ok(false)
    }

    /// Starts anew, for `.clear`.
    fn restart(&mut self) -> anyhow::Result<()>;

    /// Runs a completion's script, which has no effects. None: it was not done in time, or can't be done.
    fn probe(&mut self, script: String) -> Option<Value>;

    /// The dot commands that it has.
    fn commands(&self) -> &'static [Command];

    /// The modules that scripts can `require`.
    fn modules(&self) -> Vec<String>;

    /// `.modules`
    fn list_modules(&self) -> anyhow::Result<()>;

    /// What the greeting says besides.
    fn greeting(&self) -> String;

    /// What helps against limits.
    fn advice(&self) -> Advice<'_>;

    /// The directory that `.load` names files relative to.
    fn root(&self) -> &Path;

    /// The directory that the history is kept in.
    fn history_dir(&self) -> PathBuf;

    /// Whether a person can go on after `error`.
    fn survives(&self, _error: &anyhow::Error) -> bool {
        false
    }
}

/// What follows an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another one.
    Input,
    /// The end.
    Leave,
}

/// One heap and what there is to know about it.
pub struct Session<H> {
    heap: H,
    interactive: bool,
    /// Top-level names: a script's own scope can't be listed from within.
    declared: BTreeSet<String>,
    inputs: u32,
}

/// Whether `line` is a dot command rather than JavaScript such as `.5 + 1`.
pub fn is_command(line: &str) -> bool {
    line.strip_prefix('.').is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

/// `{a: 1}` is a block with a label; who types it means the object. As in Node, a semicolon at the end insists.
fn as_object(source: &Source) -> Option<Source> {
    let text = source.text.trim();
    let looks = text.starts_with('{') && !text.ends_with(';');
    looks.then(|| Source { name: source.name.clone(), text: format!("({text}\n)") })
}

/// Whether the engine refused to parse the source called `name`: then the stack has a place but no function.
fn is_parse_error(outcome: &Outcome, name: &str) -> bool {
    let Outcome::Exception(thrown) = outcome else { return false };
    let first = thrown.stack.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
    let place = first.trim().strip_prefix("at ").and_then(|at| at.strip_prefix(name));
    thrown.code.is_none() && thrown.message.starts_with("SyntaxError") && place.is_some_and(|at| at.starts_with(':'))
}

impl<H: Heap> Session<H> {
    /// `interactive`: a person reads along.
    pub fn new(heap: H, interactive: bool) -> Session<H> {
        Session { heap, interactive, declared: BTreeSet::new(), inputs: 0 }
    }

    /// What it runs on.
    pub fn heap(&self) -> &H {
        &self.heap
    }

    /// Runs one complete input or command and prints what comes of it.
    pub fn enter(&mut self, input: &str) -> anyhow::Result<Next> {
        match self.obey(input) {
            Err(error) if self.interactive && self.heap.survives(&error) => {
                printing::err(&format!("Error: {error:#}"));
                Ok(Next::Input)
            }
            other => other,
        }
    }

    fn obey(&mut self, input: &str) -> anyhow::Result<Next> {
        if input.trim().is_empty() {
            return Ok(Next::Input);
        }
        let line = input.trim_end();
        if is_command(line) && !line.contains('\n') {
            return self.command(line);
        }
        self.inputs += 1;
        let source = Source { name: format!("REPL{}", self.inputs), text: input.to_owned() };
        if let Some(object) = as_object(&source) {
            let outcome = self.run(&object, Mode::Repl)?;
            // Nothing of it has run, so the block that it then is may run.
            if !is_parse_error(&outcome, self.heap.name(&object)) {
                self.show(&outcome, &object, Mode::Repl)?;
                return Ok(Next::Input);
            }
        }
        self.evaluate(&source, Mode::Repl)?;
        Ok(Next::Input)
    }

    fn command(&mut self, line: &str) -> anyhow::Result<Next> {
        let (command, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let known = self.heap.commands().iter().any(|(name, _)| *name == command);
        match command {
            _ if !known => printing::err(&format!("There is no command {command}; .help lists them")),
            ".exit" => return Ok(Next::Leave),
            ".help" => self.help()?,
            ".modules" => self.heap.list_modules()?,
            ".clear" => {
                self.declared.clear();
                self.heap.restart()?;
                printing::out("A new session has started")?;
            }
            _ => self.load(argument.trim())?,
        }
        Ok(Next::Input)
    }

    fn help(&self) -> anyhow::Result<()> {
        for (command, what) in self.heap.commands() {
            printing::out(&format!("{command:<10}{what}"))?;
        }
        Ok(())
    }

    fn load(&mut self, path: &str) -> anyhow::Result<()> {
        if path.is_empty() {
            printing::err(".load wants a file");
            return Ok(());
        }
        let path = Path::new(path);
        let source = match Source::read(path, self.heap.root()) {
            Ok(source) => source,
            Err(error) if error.is::<Usage>() => {
                printing::err(&format!("Error: {error}"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let esm = path.extension().is_some_and(|extension| extension == "mjs");
        self.evaluate(&source, if esm { Mode::Module } else { Mode::Repl })
    }

    fn evaluate(&mut self, source: &Source, mode: Mode) -> anyhow::Result<()> {
        let outcome = self.run(source, mode)?;
        self.show(&outcome, source, mode)
    }

    fn run(&mut self, source: &Source, mode: Mode) -> anyhow::Result<Outcome> {
        if self.heap.revive()? {
            self.declared.clear();
            printing::err("The session was lost while a name was completed; a new one has started");
        }
        self.heap.run(source, mode)
    }

    fn show(&mut self, outcome: &Outcome, source: &Source, mode: Mode) -> anyhow::Result<()> {
        match outcome {
            Outcome::Value(value) => {
                if mode == Mode::Repl {
                    self.declared.extend(Scanner::scan(&source.text).declared().iter().cloned());
                }
                if self.interactive || value.ty != JsType::Undefined {
                    printing::out(&printing::inspect(value))?;
                }
            }
            Outcome::Exception(thrown) => {
                let quoted = Quoted { name: self.heap.name(source), source: &source.text };
                printing::err(&printing::uncaught(thrown, quoted, self.heap.advice()));
            }
        }
        if self.heap.revive()? {
            self.declared.clear();
            printing::err("That ended the session; a new one has started and all variables are gone");
        }
        Ok(())
    }

    /// Names that start with `partial`: of the scope, or of what `path` leads to. Asks the heap, which may say nothing
    /// in time.
    pub fn names(&mut self, path: &[&str], partial: &str) -> Vec<String> {
        let value = self.heap.probe(complete::probe(path, partial));
        let mut names: Vec<String> = value
            .and_then(|value| value.json)
            .and_then(|json| serde_json::from_str(json.get()).ok())
            .unwrap_or_default();
        if path.is_empty() {
            let known = super::words::KEYWORDS.iter().copied().chain(self.declared.iter().map(String::as_str));
            names.extend(known.filter(|name| name.starts_with(partial)).map(str::to_owned));
            names.sort();
            names.dedup();
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_no_command() {
        assert!(is_command(".help") && is_command(".nonsense") && is_command("."));
        assert!(!is_command(".5 + 1") && !is_command("...x") && !is_command("x.y") && !is_command(""));
    }

    #[test]
    fn braces_are_tried_as_an_object_first() {
        let object = |text: &str| as_object(&Source { name: "REPL1".to_owned(), text: text.to_owned() });
        assert_eq!(object(" {a: 1} // x\n").unwrap().text, "({a: 1} // x\n)");
        assert!(object("{ a };").is_none() && object("x = {}").is_none());
    }

    #[test]
    fn only_a_parse_error_lets_it_run_again() {
        let thrown = |message: &str, stack: &str| {
            let (message, stack) = (message.to_owned(), Some(stack.to_owned()));
            Outcome::Exception(model::Exception { message, stack, line: None, column: None, code: None })
        };
        assert!(is_parse_error(&thrown("SyntaxError: x", "    at REPL1:1:2\n"), "REPL1"));
        assert!(!is_parse_error(
            &thrown("SyntaxError: x", "    at parse (native)\n    at <eval> (REPL1:1:2)"),
            "REPL1"
        ));
        assert!(!is_parse_error(&thrown("SyntaxError: x", ""), "REPL1"));
        assert!(!is_parse_error(&thrown("TypeError: x", "    at REPL1:1:2\n"), "REPL1"));
    }
}
