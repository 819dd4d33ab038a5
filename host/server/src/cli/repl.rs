//! `vm-system repl`.
mod complete;
mod editor;
mod heap;
mod scan;
mod session;
mod words;

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::interrupt::Interrupts;
use super::local::{self, ImageArgs, LimitArgs, Local};
use super::{Globals, printing};
use heap::LocalHeap;
use scan::{Need, Scanner};
use session::{Next, Session};

pub use session::{Command, Heap};

/// Longest input that is waited for to become complete.
const INPUT_BYTES_MAX: usize = 16 << 20;

/// Type JavaScript or TypeScript and see its values
///
/// One session lasts from line to line: variables, functions and modules stay. Unfinished input continues on the next
/// line; Tab completes names, properties and modules; the history is kept. From a pipe it reads the same input without
/// prompts.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// What scripts may reach.
    #[command(flatten)]
    pub image: ImageArgs,
    /// Directory that `fs` and imports may reach [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// What each input may use.
    #[command(flatten)]
    pub limits: LimitArgs,
}

const EXAMPLES: &str = "\
Keys:
  Tab      complete a name, a property (obj.pr), a module (require('), a command (.lo) or a file (.load)
  Ctrl-C   stop what runs, or drop the line
  Ctrl-D   leave
  Ctrl-R   search the history; a line that starts with a space is not kept

Commands: .help .exit .load FILE .clear .modules

Examples:
  vm-system repl
  vm-system repl --module fs --root ./data
  vm-system repl --library lodash.js
  printf '%s\\n' 'let x = 20' 'x + 22' | vm-system repl     prints 42; errors go to stderr, the exit status stays 0";

/// Reads, evaluates and prints until the input ends.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    local::settle(execute(&args, globals))
}

fn execute(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let interrupts = Interrupts::listen()?;
    let root_path = args.root.clone().unwrap_or_else(|| PathBuf::from("."));
    let root = local::open_root(&root_path)?;
    let limits = args.limits.limits();
    let local = Local::open(&args.image, limits.mem_mb, globals)?;
    talk(LocalHeap::new(local, limits, root, root_path, interrupts)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads inputs, evaluates and prints until there are no more: with a prompt for a person, without one for a pipe.
pub fn talk(heap: impl Heap) -> anyhow::Result<()> {
    let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    let session = Session::new(heap, interactive);
    if interactive { editor::converse(session) } else { listen(session) }
}

/// Reads from a pipe or file: each piece of input runs as soon as it is complete.
fn listen(mut session: Session<impl Heap>) -> anyhow::Result<()> {
    let mut input = Input::default();
    let mut stdin = io::stdin().lock();
    loop {
        let mut line = String::new();
        if stdin.read_line(&mut line).map_err(|e| local::usage(format!("cannot read stdin: {e}")))? == 0 {
            break;
        }
        if input.add(line.trim_end_matches(['\n', '\r']))? && session.enter(&input.take())? == Next::Leave {
            return Ok(());
        }
    }
    session.enter(&input.take())?;
    Ok(())
}

/// Lines that wait to be complete.
#[derive(Default)]
struct Input {
    text: String,
    scanner: Scanner,
}

impl Input {
    /// Takes one more line; says whether the whole can be run.
    fn add(&mut self, line: &str) -> anyhow::Result<bool> {
        if self.text.len() + line.len() > INPUT_BYTES_MAX {
            return Err(local::usage(format!(
                "input goes on for more than {} without being complete",
                printing::bytes(INPUT_BYTES_MAX as u64)
            )));
        }
        let first = self.text.is_empty();
        self.text.push_str(line);
        self.text.push('\n');
        self.scanner.feed(line);
        Ok((first && session::is_command(line)) || self.scanner.need() == Need::Nothing)
    }

    fn take(&mut self) -> String {
        std::mem::take(self).text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(lines: &[&str]) -> Vec<String> {
        let mut input = Input::default();
        let mut pieces = Vec::new();
        for line in lines {
            if input.add(line).unwrap() {
                pieces.push(input.take());
            }
        }
        pieces.push(input.take());
        pieces
    }

    #[test]
    fn a_piece_is_as_many_lines_as_it_takes() {
        assert_eq!(pieces(&["1", "f(", "2)", "x."]), ["1\n", "f(\n2)\n", "x.\n"]);
        assert_eq!(pieces(&[".load a(", "a", ".5"]), [".load a(\n", "a\n", ".5\n", ""]);
        assert_eq!(pieces(&["[1]", "  .map(", "x => x)"]), ["[1]\n", "  .map(\nx => x)\n", ""]);
    }

    #[test]
    fn input_that_never_ends_is_refused() {
        let mut input = Input::default();
        assert!(!input.add("`").unwrap());
        let line = "x".repeat(1 << 20);
        assert!((0..20).any(|_| input.add(&line).is_err()));
    }
}
