//! The session behind the prompt: evaluates input, obeys commands, answers what Tab asks.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{JsType, Limits};
use sandbox::{Mode, Outcome, Root, Sandbox};

use super::complete::{self, COMMANDS};
use super::scan::Scanner;
use crate::cli::interrupt::Interrupts;
use crate::cli::local::{Local, Source, Usage};
use crate::cli::printing;

/// A completion that takes longer is given up: Tab must feel like a key.
const PROBE_PATIENCE: Duration = Duration::from_millis(200);

/// What follows an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another one.
    Input,
    /// The end.
    Leave,
}

/// One live heap and what there is to know about it.
pub struct Session {
    local: Local,
    limits: Limits,
    root: Root,
    root_path: PathBuf,
    interrupts: Interrupts,
    interactive: bool,
    /// None while it runs, and after it trapped.
    sandbox: Option<Sandbox>,
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

impl Session {
    /// Starts a session. `interactive`: a person reads along.
    pub fn new(
        local: Local,
        limits: Limits,
        root: Root,
        root_path: PathBuf,
        interrupts: Interrupts,
        interactive: bool,
    ) -> anyhow::Result<Session> {
        let sandbox = Some(local.start(limits, &root)?);
        let declared = BTreeSet::new();
        Ok(Session { local, limits, root, root_path, interrupts, interactive, sandbox, declared, inputs: 0 })
    }

    /// Where what outlives this process is kept.
    pub fn data_dir(&self) -> &Path {
        &self.local.data_dir
    }

    /// The modules that scripts can `require`.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.local.recipe.modules.iter().map(|name| name.as_str())
    }

    /// Runs one complete input or command and prints what comes of it.
    pub fn enter(&mut self, input: &str) -> anyhow::Result<Next> {
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
            let outcome = self.attempt(&object, Mode::Repl)?;
            // Nothing of it has run, so the block that it then is may run.
            if !is_parse_error(&outcome, &object.name) {
                self.show(&outcome, &object, Mode::Repl)?;
                return Ok(Next::Input);
            }
        }
        self.evaluate(&source, Mode::Repl)?;
        Ok(Next::Input)
    }

    fn command(&mut self, line: &str) -> anyhow::Result<Next> {
        let (command, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match command {
            ".exit" => return Ok(Next::Leave),
            ".help" => self.help()?,
            ".modules" => self.list_modules()?,
            ".clear" => {
                self.restart()?;
                printing::out("A new session has started")?;
            }
            ".load" => self.load(argument.trim())?,
            _ => printing::err(&format!("There is no command {command}; .help lists them")),
        }
        Ok(Next::Input)
    }

    fn help(&self) -> anyhow::Result<()> {
        for (command, what) in COMMANDS {
            printing::out(&format!("{command:<10}{what}"))?;
        }
        Ok(())
    }

    fn list_modules(&self) -> anyhow::Result<()> {
        let mut granted = String::new();
        let mut others = String::new();
        for module in self.local.engine.registry().modules() {
            let list = if self.modules().any(|name| name == module.name) { &mut granted } else { &mut others };
            let docs = module.docs.trim().lines().next().unwrap_or_default();
            list.push_str(&format!("\n  {:<12} {:<8} {docs}", module.name, module.version));
        }
        match granted.as_str() {
            "" => printing::out("This session has no modules")?,
            list => printing::out(&format!("This session has, through require('NAME'):{list}"))?,
        }
        if !others.is_empty() {
            printing::out(&format!("There are also, for those who start with --module NAME:{others}"))?;
        }
        Ok(())
    }

    fn load(&mut self, path: &str) -> anyhow::Result<()> {
        if path.is_empty() {
            printing::err(".load wants a file");
            return Ok(());
        }
        let path = Path::new(path);
        let source = match Source::read(path, &self.root_path) {
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

    fn restart(&mut self) -> anyhow::Result<()> {
        self.declared.clear();
        // The old heap goes first: its slot may be the last one.
        self.sandbox = None;
        self.sandbox = Some(self.local.start(self.limits, &self.root)?);
        Ok(())
    }

    fn evaluate(&mut self, source: &Source, mode: Mode) -> anyhow::Result<()> {
        let outcome = self.attempt(source, mode)?;
        self.show(&outcome, source, mode)
    }

    fn attempt(&mut self, source: &Source, mode: Mode) -> anyhow::Result<Outcome> {
        if self.sandbox.is_none() {
            printing::err("The session was lost while a name was completed; a new one has started");
            self.restart()?;
        }
        let Some(sandbox) = self.sandbox.take() else { anyhow::bail!("there is no session") };
        let console = |level, text: String| printing::console(level, &text);
        let ran = self.local.run(sandbox, source, mode, &self.interrupts, console)?;
        self.sandbox = ran.sandbox;
        Ok(ran.outcome)
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
            Outcome::Exception(thrown) => printing::err(&printing::uncaught(thrown, source.quoted(), &self.limits)),
        }
        if self.sandbox.is_none() {
            self.restart()?;
            printing::err("That ended the session; a new one has started and all variables are gone");
        }
        Ok(())
    }

    /// Names that start with `partial`: of the scope, or of what `path` leads to. Asks the sandbox, which may say
    /// nothing in time.
    pub fn names(&mut self, path: &[&str], partial: &str) -> Vec<String> {
        let Some(sandbox) = self.sandbox.take() else { return Vec::new() };
        let source = Source { name: "completion".to_owned(), text: complete::probe(path, partial) };
        let Some(ran) = self.local.probe(sandbox, source, PROBE_PATIENCE) else { return Vec::new() };
        self.sandbox = ran.sandbox;
        let Outcome::Value(value) = ran.outcome else { return Vec::new() };
        let mut names: Vec<String> =
            value.json.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default();
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
