//! The heap of `vm-system repl`: one of this process.
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Limits, Value};
use sandbox::{Mode, Outcome, Root, Sandbox};

use super::session::{Command, Heap};
use crate::cli::interrupt::Interrupts;
use crate::cli::local::{Local, Source};
use crate::cli::printing::{self, Advice};

/// A completion that takes longer is given up: Tab must feel like a key.
const PROBE_PATIENCE: Duration = Duration::from_millis(200);

/// One live heap of this process.
pub struct LocalHeap {
    local: Local,
    limits: Limits,
    root: Root,
    root_path: PathBuf,
    interrupts: Interrupts,
    /// None while it runs, and after it trapped.
    sandbox: Option<Sandbox>,
}

impl LocalHeap {
    /// Starts it.
    pub fn new(
        local: Local,
        limits: Limits,
        root: Root,
        root_path: PathBuf,
        interrupts: Interrupts,
    ) -> anyhow::Result<LocalHeap> {
        let sandbox = Some(local.start(limits, &root)?);
        Ok(LocalHeap { local, limits, root, root_path, interrupts, sandbox })
    }
}

impl Heap for LocalHeap {
    fn run(&mut self, source: &Source, mode: Mode) -> anyhow::Result<Outcome> {
        let Some(sandbox) = self.sandbox.take() else { anyhow::bail!("there is no session") };
        let console = |level, text: String| printing::console(level, &text);
        let ran = self.local.run(sandbox, source, mode, &self.interrupts, console)?;
        self.sandbox = ran.sandbox;
        Ok(ran.outcome)
    }

    fn revive(&mut self) -> anyhow::Result<bool> {
        let lost = self.sandbox.is_none();
        if lost {
            self.restart()?;
        }
        Ok(lost)
    }

    fn restart(&mut self) -> anyhow::Result<()> {
        // The old heap goes first: its slot may be the last one.
        self.sandbox = None;
        self.sandbox = Some(self.local.start(self.limits, &self.root)?);
        Ok(())
    }

    fn probe(&mut self, script: String) -> Option<Value> {
        let source = Source { name: "completion".to_owned(), text: script };
        let ran = self.local.probe(self.sandbox.take()?, source, PROBE_PATIENCE)?;
        self.sandbox = ran.sandbox;
        match ran.outcome {
            Outcome::Value(value) => Some(value),
            Outcome::Exception(_) => None,
        }
    }

    fn commands(&self) -> &'static [Command] {
        &[
            (".clear", "start a new session; all variables are gone"),
            (".exit", "leave (so does Ctrl-D)"),
            (".help", "this list"),
            (".load", ".load FILE runs a file in this session; its names stay"),
            (".modules", "the modules of this session and those that there are"),
        ]
    }

    fn modules(&self) -> Vec<String> {
        self.local.recipe.modules.iter().map(|name| name.as_str().to_owned()).collect()
    }

    fn list_modules(&self) -> anyhow::Result<()> {
        let mut granted = String::new();
        let mut others = String::new();
        let listed = self.modules();
        for module in self.local.engine.registry().modules() {
            let list = if listed.iter().any(|name| name == module.name) { &mut granted } else { &mut others };
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

    fn greeting(&self) -> String {
        format!("vm-system {}", env!("CARGO_PKG_VERSION"))
    }

    fn advice(&self) -> Advice<'_> {
        Advice::Flags(&self.limits)
    }

    fn root(&self) -> &Path {
        &self.root_path
    }

    fn history_dir(&self) -> PathBuf {
        self.local.data_dir.clone()
    }
}
