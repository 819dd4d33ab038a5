//! The prompt: line editing, history, completion; rustyline does the work.
use std::cell::RefCell;
use std::rc::Rc;

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::complete::{Wanted, wanted};
use super::scan::{Need, Scanner};
use super::session::{Heap, Next, Session, is_command};
use crate::cli::printing;

const PROMPT: &str = "> ";
const HISTORY_FILE: &str = "repl_history";
const HISTORY_LINES_MAX: usize = 2_000;

/// Talks to a person until they leave.
pub fn converse<H: Heap>(session: Session<H>) -> anyhow::Result<()> {
    greet(session.heap())?;
    let history = session.heap().history_dir().join(HISTORY_FILE);
    let session = Rc::new(RefCell::new(session));
    let config = Config::builder()
        .max_history_size(HISTORY_LINES_MAX)?
        .history_ignore_space(true)
        .auto_add_history(true)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .build();
    let mut editor: Editor<Assistant<H>, FileHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant { session: session.clone(), files: FilenameCompleter::new() }));
    // The first time there is none; a history that can't be read or kept is no reason to refuse work.
    let _ = editor.load_history(&history);
    let mut told = false;
    loop {
        match editor.readline(PROMPT) {
            Ok(input) => {
                let _ = editor.append_history(&history);
                if session.borrow_mut().enter(&input)? == Next::Leave {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) if !told => {
                printing::out("(Ctrl-D or .exit leaves)")?;
                told = true;
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Signal(_)) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn greet(heap: &impl Heap) -> anyhow::Result<()> {
    let modules = heap.modules();
    let modules = if modules.is_empty() { "none".to_owned() } else { modules.join(", ") };
    printing::out(&format!("{}; modules: {modules}. Type .help for help, Ctrl-D to leave.", heap.greeting()))?;
    Ok(())
}

/// What rustyline asks while a line is typed.
struct Assistant<H> {
    /// Never borrowed while a line is read, so borrowing it from here can't fail.
    session: Rc<RefCell<Session<H>>>,
    files: FilenameCompleter,
}

impl<H: Heap> Helper for Assistant<H> {}
impl<H> Highlighter for Assistant<H> {}

impl<H> Hinter for Assistant<H> {
    type Hint = String;
}

impl<H> Validator for Assistant<H> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        let complete = (is_command(input) && !input.contains('\n')) || Scanner::scan(input).need() == Need::Nothing;
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl<H: Heap> Completer for Assistant<H> {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..pos).unwrap_or(line);
        let (partial, names): (&str, Vec<String>) = match wanted(before) {
            None => return Ok((pos, Vec::new())),
            Some(Wanted::File) => return self.files.complete(line, pos, context),
            Some(Wanted::Command { partial }) => {
                let commands = self.session.borrow().heap().commands();
                let names = commands.iter().map(|(command, _)| (*command).to_owned());
                (partial, names.filter(|command| command.starts_with(partial)).collect())
            }
            Some(Wanted::Module { partial }) => {
                let modules = self.session.borrow().heap().modules();
                (partial, modules.into_iter().filter(|name| name.starts_with(partial)).collect())
            }
            Some(Wanted::Name { path, partial }) => (partial, self.session.borrow_mut().names(&path, partial)),
        };
        let pair = |name: String| Pair { display: name.clone(), replacement: name };
        Ok((pos - partial.len(), names.into_iter().map(pair).collect()))
    }
}
