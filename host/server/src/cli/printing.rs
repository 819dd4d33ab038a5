//! Everything that commands write: one place that knows streams, closed pipes and how errors look.

mod inspect;
mod json;
mod table;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use model::{ConsoleLevel, ErrorCode, Exception, Limits};

pub use inspect::inspect;
pub use json::indent;
pub use table::{Table, clock, line, seconds};

/// Exit status when whoever read our output went away: what a shell reports for death by SIGPIPE.
pub const EXIT_PIPE: u8 = 141;

/// Stack frames that are shown; of a runaway recursion the rest is the same.
const FRAMES_MAX: usize = 10;

/// Writes `text` and a line break to stdout. Fails when the reader is gone or the disk is full; never panics.
pub fn out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    write_line(&mut stdout, &shown(text, io::stdout().is_terminal()))
}

/// Writes `text` and a line break to stderr. There is nowhere to report that this failed, so that is ignored.
pub fn err(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write_line(&mut stderr, &shown(text, io::stderr().is_terminal()));
}

/// One console call of a script: warnings and errors to stderr, the rest to stdout.
pub fn console(level: ConsoleLevel, text: &str) -> io::Result<()> {
    match level {
        ConsoleLevel::Log | ConsoleLevel::Info | ConsoleLevel::Debug => out(text),
        ConsoleLevel::Warn | ConsoleLevel::Error => {
            err(text);
            Ok(())
        }
    }
}

/// Output of many lines, written in large pieces. What is left is written by [`Page::end`], not when it is dropped.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    const BYTES_MAX: usize = 64 << 10;

    /// Adds `text` and a line break.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        if self.0.len() + text.len() > Self::BYTES_MAX {
            self.flush()?;
        }
        self.0.push_str(text);
        self.0.push('\n');
        Ok(())
    }

    /// Writes the rest.
    pub fn end(mut self) -> io::Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.0);
        text.strip_suffix('\n').map_or(Ok(()), out)
    }
}

/// Whether `error` says that nobody reads our stdout any more.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn write_line(stream: &mut impl io::Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.write_all(b"\n")?;
    stream.flush()
}

/// A sandboxed script must not drive the terminal of whoever runs it: of its control sequences only colours pass, the
/// others are spelt out. Into a file or pipe everything goes as it is.
fn shown(text: &str, terminal: bool) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if !terminal || text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = colour(rest).unwrap_or(c.len_utf8());
        if length > c.len_utf8() || harmless(c) {
            out.push_str(&rest[..length]);
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        }
        rest = &rest[length..];
    }
    Cow::Owned(out)
}

/// Length of the colour sequence (`ESC [ 1 ; 31 m`) that `text` starts with.
fn colour(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let length = parameters.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    (parameters.as_bytes().get(length) == Some(&b'm')).then_some(2 + length + 1)
}

/// What was run, as far as an error message quotes it.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a> {
    /// The name in stack traces.
    pub name: &'a str,
    /// The text.
    pub source: &'a str,
}

/// What raises a limit or grants a module, where the script ran.
#[derive(Clone, Copy, Debug)]
pub enum Advice<'a> {
    /// Flags of the command; it ran under these limits.
    Flags(&'a Limits),
    /// The template with this id, on a server.
    Template(&'a str),
}

/// An uncaught exception as `run` and `repl` show it: where, the line itself, what, and the stack.
pub fn exception(exception: &Exception, quoted: Quoted<'_>, advice: Advice<'_>) -> String {
    let mut out = String::new();
    if let Some((line, column)) = position(exception, quoted.name) {
        let _ = writeln!(out, "{}:{line}:{column}", quoted.name);
        if let Some(text) = quoted.source.lines().nth(line as usize - 1).filter(|text| fits(text)) {
            let before = text.chars().take(column.saturating_sub(1) as usize);
            let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let _ = writeln!(out, "{text}\n{indent}^\n");
        }
    }
    out.push_str(&body(exception, advice));
    out
}

/// The same after a line of a REPL, which stands right above it: only a syntax error points into it.
pub fn uncaught(thrown: &Exception, quoted: Quoted<'_>, advice: Advice<'_>) -> String {
    if thrown.message.starts_with("SyntaxError") && thrown.code.is_none() {
        return exception(thrown, quoted, advice);
    }
    let bare = thrown.code.is_some() || thrown.message.starts_with("Uncaught");
    format!("{}{}", if bare { "" } else { "Uncaught " }, body(thrown, advice))
}

fn body(exception: &Exception, advice: Advice<'_>) -> String {
    let mut out = exception.message.clone();
    if let Some(code) = exception.code {
        let _ = write!(out, " [{}]", code.as_str());
    }
    if let Some(stack) = &exception.stack {
        let untitled = stack.strip_prefix(exception.message.as_str());
        let untitled = untitled.filter(|rest| rest.is_empty() || rest.starts_with('\n'));
        let frames = untitled.unwrap_or(stack).trim_matches('\n');
        let mut lines = frames.lines().filter(|line| !line.trim().is_empty());
        for line in lines.by_ref().take(FRAMES_MAX) {
            let _ = write!(out, "\n{line}");
        }
        match lines.count() {
            0 => {}
            more => {
                let _ = write!(out, "\n    ... {more} more");
            }
        }
    }
    let advice = advice.about(exception);
    if !advice.is_empty() {
        let _ = write!(out, "\n{advice}");
    }
    out
}

/// Minified code is one line of a megabyte: quoting that helps nobody.
fn fits(line: &str) -> bool {
    line.len() <= 200 && !line.trim().is_empty()
}

/// Where in the quoted source it happened: the topmost frame that lies there, or else the position of the exception
/// itself when no frame says that it lies elsewhere.
fn position(exception: &Exception, name: &str) -> Option<(u32, u32)> {
    let stack = exception.stack.as_deref().unwrap_or_default();
    let frame = |line: &str| -> Option<(u32, u32)> {
        let at = line.trim().strip_prefix("at ")?;
        let place = at.rsplit_once('(').map_or(at, |(_, place)| place.trim_end_matches(')'));
        let mut numbers = place.strip_prefix(name)?.strip_prefix(':')?.split(':');
        let line = numbers.next()?.parse().ok()?;
        let column = numbers.next().map_or(Ok(1), str::parse).ok()?;
        numbers.next().is_none().then_some((line, column))
    };
    let elsewhere = stack.lines().any(|line| line.contains(':'));
    let own = (exception.line.filter(|_| !elsewhere)).map(|line| (line, exception.column.unwrap_or(1)));
    stack.lines().find_map(frame).or(own).filter(|(line, _)| *line > 0)
}

impl Advice<'_> {
    /// What helps against `exception`, if anything is known to.
    fn about(self, exception: &Exception) -> String {
        let flag = match exception.code {
            Some(ErrorCode::CpuLimitExceeded) => "--cpu-ms",
            Some(ErrorCode::WallLimitExceeded) => "--wall-ms",
            Some(ErrorCode::OutputLimitExceeded) => "--max-output-kb",
            Some(ErrorCode::MemoryLimitExceeded) => "--mem-mb",
            Some(_) => return String::new(),
            None => return self.about_grants(&exception.message),
        };
        match self {
            Advice::Flags(limits) if flag == "--mem-mb" => {
                format!("The heap is limited to {} MiB: raise it with --mem-mb N", limits.mem_mb)
            }
            Advice::Flags(_) => format!("Raise it with {flag} N"),
            Advice::Template(id) => {
                format!("Raise it for new sessions with vm-system template set-limits {id} {flag} N")
            }
        }
    }

    fn about_grants(self, message: &str) -> String {
        match self {
            Advice::Flags(_) if message.contains("outside of the root") => {
                "--root DIR says which files exist".to_owned()
            }
            Advice::Flags(_) if message.contains("Invalid module") => {
                "Modules are granted with --module NAME".to_owned()
            }
            Advice::Template(id) if message.contains("Invalid module") => {
                format!("Modules are granted to new sessions with vm-system template add-module {id} --name NAME")
            }
            _ => String::new(),
        }
    }
}

/// Bytes with a unit that a person can compare.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "bytes" { format!("{count} bytes") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thrown(message: &str, stack: Option<&str>, at: Option<(u32, u32)>, code: Option<ErrorCode>) -> Exception {
        Exception {
            message: message.to_owned(),
            stack: stack.map(str::to_owned),
            line: at.map(|(line, _)| line),
            column: at.map(|(_, column)| column),
            code,
        }
    }

    fn show(exception: &Exception) -> String {
        let quoted = Quoted { name: "app.js", source: "let a\n\tthrow new Error('no')\n" };
        super::exception(exception, quoted, Advice::Flags(&Limits::default()))
    }

    #[test]
    fn an_exception_quotes_its_line() {
        let stack = "    at f (app.js:2:8)\n    at <eval> (app.js:1:1)\n";
        assert_eq!(
            show(&thrown("Error: no", Some(stack), Some((2, 8)), None)),
            "app.js:2:8\n\tthrow new Error('no')\n\t      ^\n\nError: no\n    at f (app.js:2:8)\n    at <eval> (app.js:1:1)"
        );
        assert_eq!(
            show(&thrown("SyntaxError: x", None, Some((1, 5)), None)),
            "app.js:1:5\nlet a\n    ^\n\nSyntaxError: x"
        );
    }

    #[test]
    fn the_innermost_frame_of_the_script_is_quoted_and_other_files_are_not() {
        let stack = "Error: no\n    at inner (lib/other.js:9:9)\n    at app.js:1:5\n";
        let shown = show(&thrown("Error: no", Some(stack), Some((9, 9)), None));
        assert!(shown.starts_with("app.js:1:5\nlet a\n"), "{shown}");
        assert_eq!(shown.matches("Error: no").count(), 1, "{shown}");
        let elsewhere = show(&thrown("Error: no", Some("    at other.js:2:1"), Some((2, 1)), None));
        assert_eq!(elsewhere, "Error: no\n    at other.js:2:1");
        // A position past the end, a stack made by the script itself.
        show(&thrown("x", Some("at app.js:99999:0"), Some((0, 0)), None));
        show(&thrown("x", Some("at (app.js:-1:)"), Some((u32::MAX, u32::MAX)), None));
    }

    #[test]
    fn a_limit_names_the_flag_that_raises_it() {
        let shown = show(&thrown("CPU", None, None, Some(ErrorCode::CpuLimitExceeded)));
        assert_eq!(shown, "CPU [CPU_LIMIT_EXCEEDED]\nRaise it with --cpu-ms N");
        let advice = Advice::Template("T").about(&thrown("CPU", None, None, Some(ErrorCode::CpuLimitExceeded)));
        assert_eq!(advice, "Raise it for new sessions with vm-system template set-limits T --cpu-ms N");
    }

    #[test]
    fn a_long_stack_is_cut() {
        let shown = show(&thrown("RangeError: deep", Some(&"    at r (app.js:1:1)\n".repeat(500)), None, None));
        assert!(shown.ends_with("    at r (app.js:1:1)\n    ... 490 more"), "{shown}");
    }

    #[test]
    fn a_module_that_is_not_granted_says_how_to_grant_it() {
        let shown = show(&thrown("Error: Invalid module \"fs\"", None, None, None));
        assert!(shown.ends_with("\nModules are granted with --module NAME"), "{shown}");
    }

    #[test]
    fn a_terminal_gets_colours_and_nothing_else() {
        assert_eq!(shown("a\x1b[31mb\x1b[0m\n\tc", true), "a\x1b[31mb\x1b[0m\n\tc");
        assert_eq!(shown("\x1b]52;c;aGk=\x07\x1b[2J\r\u{9b}1m", true), "\\x1b]52;c;aGk=\\x07\\x1b[2J\\x0d\\x9b1m");
        assert_eq!(shown("\x1b[2J\r", false), "\x1b[2J\r");
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1_023), "1023 bytes");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
    }

    proptest! {
        #[test]
        fn no_exception_is_too_strange(message in ".*", stack in "(    at [a-z]* ?\\(?app.js:[0-9]{0,12}:[0-9]{0,12}\\)?\n|.*\n)*", line: u32, column: u32) {
            let shown = show(&thrown(&message, Some(&stack), Some((line, column)), None));
            prop_assert!(shown.contains(&message));
        }

        #[test]
        fn what_a_terminal_gets_has_no_other_escape(text in "([\\x00-\\x1f\\x7f-\\u{9f}a-z;0-9m\\[]|\\x1b\\[)*") {
            let out = shown(&text, true);
            for (at, _) in out.match_indices('\x1b') {
                prop_assert!(colour(&out[at..]).is_some());
            }
            prop_assert!(out.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\x1b')));
        }
    }
}
