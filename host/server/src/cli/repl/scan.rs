//! Tells whether a piece of JavaScript can be run or wants more lines.
//!
//! A tokenizer, not a parser: it knows brackets, strings, templates, comments, regular expressions and which tokens
//! cannot be the last one. Where it errs, the engine's own SyntaxError follows, or one empty line too many is asked for.

use super::words;

/// What a piece of input needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It can be run.
    Nothing,
    /// A bracket, template, string or comment is open: only more input helps.
    Closing,
    /// It ends with `+`, `=>`, `if (x)` or the like: more input helps, and an empty line gives up.
    Continuation,
}

/// A scan that is fed line by line, so that a long input costs linear time.
#[derive(Debug)]
pub struct Scanner {
    frames: Vec<Frame>,
    text: Text,
    last: Last,
    /// The line ends in a `//` comment.
    commented: bool,
    blank: bool,
    declared: Vec<String>,
}

#[derive(Debug, Default)]
struct Frame {
    /// The closing bracket; the outermost frame has none.
    close: Option<char>,
    /// The parentheses of `if (...)`, after which a statement must follow.
    header: bool,
    /// A block rather than an object: a `/` after it starts a regular expression.
    block: bool,
    /// This brace is `${` and its end returns to the template.
    hole: bool,
    /// What the code at this depth still has to bring.
    owed: Owed,
    /// `do` without its `while`.
    dos: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owed {
    #[default]
    Nothing,
    /// The braces of a function, class, `try`, `catch` or `finally`.
    Body { of_try: bool },
    /// `catch` or `finally`.
    Handler,
}

/// Text that is not code and may go on in the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    None,
    Comment,
    Template,
    /// A string whose line ended with a backslash, or that the line ended in.
    String {
        quote: char,
        continued: bool,
    },
}

/// The last token, as far as it decides what `/`, `{` and the end of the input mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// The start of a statement.
    Start,
    /// A name, literal or closing bracket: `/` divides.
    Value,
    /// The end of a block.
    Block,
    /// The closing parenthesis of `if (...)` and the like.
    Header,
    /// `.` or `?.`: the next word is a property.
    Dot,
    /// A token that wants an operand.
    Operator,
    /// A word such as `return`: an operand may follow.
    Either,
    /// A word that wants parentheses.
    HeaderWord,
    /// `else`, `do`, `try`: a statement or block must follow.
    BlockWord,
    /// `let`, `const`, `var`, `class`, `function`: a name follows.
    Declaration,
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner {
            frames: vec![Frame::default()],
            text: Text::None,
            last: Last::Start,
            commented: false,
            blank: false,
            declared: Vec::new(),
        }
    }
}

impl Scanner {
    /// Scans a whole input.
    pub fn scan(input: &str) -> Scanner {
        let mut scanner = Scanner::default();
        for line in input.split('\n') {
            scanner.feed(line);
        }
        scanner
    }

    /// Scans one more line, given without its line break.
    pub fn feed(&mut self, line: &str) {
        self.blank = line.trim().is_empty();
        self.commented = false;
        if let Text::String { continued: false, .. } = self.text {
            // The string was never closed; the engine will say so, and this line is code again.
            self.text = Text::None;
            self.last = Last::Value;
        }
        let chars: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            at = match self.text {
                Text::None => self.code(&chars, at),
                Text::Comment => self.comment(&chars, at),
                Text::Template => self.template(&chars, at),
                Text::String { quote, .. } => self.string(&chars, at, quote),
            };
        }
        if let Text::String { quote, continued: true } = self.text
            && !ends_in_backslash(&chars)
        {
            self.text = Text::String { quote, continued: false };
        }
    }

    /// What the input needs to be run.
    pub fn need(&self) -> Need {
        match self.text {
            Text::Comment | Text::Template | Text::String { continued: true, .. } => return Need::Closing,
            Text::String { continued: false, .. } => return Need::Nothing,
            Text::None => {}
        }
        match self.frames.as_slice() {
            [root] => {
                let dangling = matches!(
                    self.last,
                    Last::Dot | Last::Operator | Last::HeaderWord | Last::Header | Last::BlockWord | Last::Declaration
                );
                let owes = root.owed != Owed::Nothing || root.dos > 0;
                if (dangling || owes) && !self.blank { Need::Continuation } else { Need::Nothing }
            }
            _ => Need::Closing,
        }
    }

    /// Whether the input ends within a string, template or comment.
    pub fn in_text(&self) -> bool {
        self.commented || self.text != Text::None
    }

    /// Names that the outermost scope declares, as far as they follow their keyword directly.
    pub fn declared(&self) -> &[String] {
        &self.declared
    }

    fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let top = self.frames.len() - 1;
        &mut self.frames[top]
    }

    /// Scans one token of code and returns where the next one starts.
    fn code(&mut self, chars: &[char], at: usize) -> usize {
        let c = chars[at];
        let next = chars.get(at + 1).copied();
        match (c, next) {
            (c, _) if c.is_whitespace() => at + 1,
            ('/', Some('/')) => {
                self.commented = true;
                chars.len()
            }
            ('#', Some('!')) if at == 0 => chars.len(),
            ('/', Some('*')) => {
                self.text = Text::Comment;
                at + 2
            }
            ('/', _) => match self.regex_end(chars, at) {
                Some(end) => {
                    self.value();
                    end
                }
                None => {
                    self.operator();
                    at + 1
                }
            },
            ('"' | '\'', _) => {
                self.text = Text::String { quote: c, continued: true };
                at + 1
            }
            ('`', _) => {
                self.text = Text::Template;
                at + 1
            }
            ('(' | '[' | '{', _) => {
                self.open(c);
                at + 1
            }
            (')' | ']' | '}', _) => {
                self.close(c);
                at + 1
            }
            (';', _) => {
                self.frame().owed = Owed::Nothing;
                self.last = Last::Start;
                at + 1
            }
            (c, next) if c.is_ascii_digit() || (c == '.' && next.is_some_and(|n| n.is_ascii_digit())) => {
                self.value();
                number_end(chars, at)
            }
            ('.', Some('.')) => {
                self.operator();
                at + 2
            }
            ('.', _) => {
                self.last = Last::Dot;
                at + 1
            }
            ('?', Some('.')) if !chars.get(at + 2).is_some_and(char::is_ascii_digit) => {
                self.last = Last::Dot;
                at + 2
            }
            ('+' | '-', Some(n)) if n == c => {
                if self.last != Last::Value {
                    self.operator();
                }
                at + 2
            }
            ('*', _) if self.last == Last::Declaration => at + 1,
            (c, _) if words::starts(c) || c == '#' || c == '@' || c == '\\' => {
                let end =
                    chars[at + 1..].iter().position(|c| !words::continues(*c)).map_or(chars.len(), |n| at + 1 + n);
                let word: String = chars[at..end].iter().collect();
                self.word(&word);
                end
            }
            _ => {
                self.operator();
                at + 1
            }
        }
    }

    fn value(&mut self) {
        self.settle_handler();
        self.last = Last::Value;
    }

    fn operator(&mut self) {
        self.settle_handler();
        self.last = Last::Operator;
    }

    /// A `try` block that anything but `catch` or `finally` follows is the engine's to complain about.
    fn settle_handler(&mut self) {
        let frame = self.frame();
        if frame.owed == Owed::Handler {
            frame.owed = Owed::Nothing;
        }
    }

    fn word(&mut self, word: &str) {
        if self.last == Last::Dot {
            self.last = Last::Value;
            return;
        }
        if self.last == Last::Declaration && self.frames.len() == 1 && word.starts_with(words::starts) {
            self.declared.push(word.to_owned());
            // `extends` may follow a class's name, `function` an `async`; neither is a name itself.
            self.declared.pop_if(|name| words::KEYWORDS.contains(&name.as_str()));
        }
        let before = self.last;
        let frame = self.frame();
        if frame.owed == Owed::Handler && !matches!(word, "catch" | "finally") {
            frame.owed = Owed::Nothing;
        }
        self.last = match word {
            "if" | "for" | "with" | "switch" => Last::HeaderWord,
            "await" if before == Last::HeaderWord => Last::HeaderWord,
            "while" if frame.dos > 0 => {
                frame.dos -= 1;
                Last::Operator
            }
            "while" => Last::HeaderWord,
            "catch" => {
                frame.owed = Owed::Body { of_try: false };
                Last::HeaderWord
            }
            "do" => {
                frame.dos += 1;
                Last::BlockWord
            }
            "else" => Last::BlockWord,
            "try" => {
                frame.owed = Owed::Body { of_try: true };
                Last::BlockWord
            }
            "finally" => {
                frame.owed = Owed::Body { of_try: false };
                Last::BlockWord
            }
            "function" | "class" => {
                frame.owed = Owed::Body { of_try: false };
                Last::Declaration
            }
            "let" | "const" | "var" => Last::Declaration,
            "return" | "yield" | "break" | "continue" => Last::Either,
            "new" | "typeof" | "instanceof" | "in" | "void" | "delete" | "throw" | "await" | "case" | "extends"
            | "import" | "export" | "default" => Last::Operator,
            _ => Last::Value,
        };
    }

    fn open(&mut self, bracket: char) {
        let owed = self.frame().owed;
        let header = bracket == '(' && self.last == Last::HeaderWord;
        let block = bracket == '{'
            && (matches!(self.last, Last::Start | Last::Block | Last::Header | Last::BlockWord | Last::HeaderWord)
                || matches!(owed, Owed::Body { .. }));
        if bracket == '{' {
            self.frame().owed = match owed {
                Owed::Body { of_try: true } => Owed::Handler,
                _ => Owed::Nothing,
            };
        } else {
            self.settle_handler();
        }
        let close = match bracket {
            '(' => ')',
            '[' => ']',
            _ => '}',
        };
        self.frames.push(Frame { close: Some(close), header, block, ..Frame::default() });
        self.last = Last::Start;
    }

    fn close(&mut self, bracket: char) {
        // A bracket that closes nothing is a syntax error whatever follows: run it and let the engine speak.
        let top = match self.frames.last() {
            Some(Frame { close: Some(close), .. }) if *close == bracket => self.frames.pop().unwrap_or_default(),
            _ => {
                self.frames.truncate(1);
                *self.frame() = Frame::default();
                self.last = Last::Value;
                return;
            }
        };
        if top.hole {
            self.text = Text::Template;
        }
        self.last = match () {
            () if top.header => Last::Header,
            () if top.block => Last::Block,
            () => Last::Value,
        };
    }

    fn comment(&mut self, chars: &[char], at: usize) -> usize {
        match find(chars, at, &['*', '/']) {
            Some(end) => {
                self.text = Text::None;
                end + 2
            }
            None => chars.len(),
        }
    }

    fn string(&mut self, chars: &[char], at: usize, quote: char) -> usize {
        match chars[at] {
            '\\' => at + 2,
            c if c == quote => {
                self.text = Text::None;
                self.value();
                at + 1
            }
            _ => at + 1,
        }
    }

    fn template(&mut self, chars: &[char], at: usize) -> usize {
        match (chars[at], chars.get(at + 1)) {
            ('\\', _) => at + 2,
            ('`', _) => {
                self.text = Text::None;
                self.value();
                at + 1
            }
            ('$', Some('{')) => {
                self.text = Text::None;
                self.frames.push(Frame { close: Some('}'), hole: true, ..Frame::default() });
                self.last = Last::Start;
                at + 2
            }
            _ => at + 1,
        }
    }

    /// The end of the regular expression that starts at `at`, if one can stand there and ends on this line.
    fn regex_end(&self, chars: &[char], at: usize) -> Option<usize> {
        if self.last == Last::Value {
            return None;
        }
        let mut class = false;
        let mut i = at + 1;
        while i < chars.len() {
            match chars[i] {
                '\\' => i += 1,
                '[' => class = true,
                ']' => class = false,
                '/' if !class => {
                    let flags = chars[i + 1..].iter().take_while(|c| c.is_ascii_alphabetic()).count();
                    return Some(i + 1 + flags);
                }
                _ => {}
            }
            i += 1;
        }
        None
    }
}

fn ends_in_backslash(chars: &[char]) -> bool {
    chars.iter().rev().take_while(|c| **c == '\\').count() % 2 == 1
}

fn find(chars: &[char], from: usize, what: &[char]) -> Option<usize> {
    (from..chars.len()).find(|i| chars[*i..].starts_with(what))
}

/// Numbers have dots, exponents with signs, separators, prefixes and `n`.
fn number_end(chars: &[char], at: usize) -> usize {
    let hex = chars[at] == '0' && matches!(chars.get(at + 1), Some('x' | 'X'));
    let mut i = at + 1;
    while i < chars.len() {
        let sign = matches!(chars[i], '+' | '-') && matches!(chars[i - 1], 'e' | 'E') && !hex;
        // `1..toString()` and `1.toFixed` end the number at the second dot and at the letter.
        let dot = chars[i] == '.' && chars.get(i + 1).is_none_or(|c| c.is_ascii_digit() || *c == '.');
        if !(words::continues(chars[i]) || sign || dot) {
            break;
        }
        if dot && chars.get(i + 1) == Some(&'.') {
            return i + 1;
        }
        i += 1;
    }
    i
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn need(input: &str) -> Need {
        Scanner::scan(input).need()
    }

    #[test]
    fn runs_what_is_complete() {
        for input in [
            "",
            "1+1",
            "let x = 5",
            "let x = 5;",
            "f()",
            "a.b",
            "i++",
            "i--",
            "x = /[/{]/.test(y)",
            "(a) / b",
            "a / b / c",
            "if (x) /re{/.test(y)",
            "'it\\'s {'",
            "\"(\"",
            "`a ${b + `c ${d}`} {`",
            "// (",
            "1 // (",
            "/* { */ 1",
            "do { x() } while (y)",
            "do x(); while (y)",
            "try { a } catch { b }",
            "try { a } catch (e) { b } finally { c }",
            "class A extends f({}) { m() { return 1 } }",
            "function* g() { yield 1 }",
            "async () => { await 1 }",
            "a.class",
            "a?.if",
            "x = { class: 1, function: 2 }",
            "return",
            "1..toString()",
            "1.5e+3",
            "0xe+1",
            "x ? .5 : 1",
            "a?.[0]",
            "label: for (;;) { break label }",
            "for await (const x of y) z(x)",
            "({a: 1})",
            "{a: 1}",
            ")",
            "f(}",
            "'abc",
            "'abc\n'def'",
            "#!/usr/bin/env x",
            "x\n",
            "obj.#p",
            "a => a",
            "if (a) { b } else { c }",
            "switch (a) { case 1: b; default: c }",
            "new Foo",
            "x = y\n/ 2 / (3)",
        ] {
            assert_eq!(need(input), Need::Nothing, "{input}");
        }
    }

    #[test]
    fn waits_for_what_is_open() {
        for input in [
            "(",
            "[1,",
            "{",
            "f(1,",
            "`a",
            "`a ${b",
            "`a ${b}",
            "`a ${{c: `d`}}",
            "/* ",
            "/* *\n/",
            "'a\\",
            "function f() {",
            "if (x) {",
            "f(/[)]/",
            "class A {\n  #p = 1\n  m() { return {a: 1}\n",
            "\"a\\\nb\\",
        ] {
            assert_eq!(need(input), Need::Closing, "{input}");
        }
    }

    #[test]
    fn waits_for_what_dangles_until_an_empty_line() {
        for input in [
            "1 +",
            "x =",
            "a =>",
            "a.",
            "a?.",
            "a &&",
            "!",
            "x ?",
            "x ? y :",
            "if",
            "if (x)",
            "if (x) y; else",
            "for (;;)",
            "while (x)",
            "do",
            "do { x() }",
            "try",
            "try { a }",
            "try { a } catch",
            "try { a } catch (e)",
            "try { a } finally",
            "function",
            "function f()",
            "function f(a = {})",
            "class",
            "class A",
            "class A extends B",
            "let",
            "const x =",
            "new",
            "typeof",
            "await",
            "switch (x)",
            "1,",
            "x // then\n+",
            "export default",
        ] {
            assert_eq!(need(input), Need::Continuation, "{input}");
            assert_eq!(need(&format!("{input}\n")), Need::Nothing, "{input} and an empty line");
        }
    }

    #[test]
    fn names_of_the_outermost_scope_are_collected() {
        let scanner = Scanner::scan(
            "let a = 1; const b = 2\nclass C extends D { let() {} }\nasync function f() { let inner }\nfunction* g() {}\n({ let: 1 }); x.let = 2; var π = 3",
        );
        assert_eq!(scanner.declared(), ["a", "b", "C", "f", "g", "π"]);
    }

    #[test]
    fn text_is_told_from_code() {
        assert!(Scanner::scan("x = 'abc").in_text());
        assert!(Scanner::scan("`a").in_text());
        assert!(Scanner::scan("/* a").in_text());
        assert!(!Scanner::scan("`a ${b").in_text());
        assert!(!Scanner::scan("'a' + b").in_text());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(input in any::<String>()) {
            need(&input);
        }

        #[test]
        fn nor_does_anything_like_code(input in "([-+*/.?:;,=<>!#$@a-z0-9 \n\\\\'\"`(){}\\[\\]]|\\$\\{|function |class |try |do |while |if |let )*") {
            need(&input);
        }

        #[test]
        fn what_is_complete_in_brackets_is_incomplete_without_the_last(code in "q[a-z]{0,4}( [+*] q[a-z]{0,4}|\\([0-9]\\)|\\[[0-9]\\]|`x\\$\\{1\\}`){0,4}") {
            prop_assert_eq!(need(&format!("({code})")), Need::Nothing);
            prop_assert_eq!(need(&format!("({code}")), Need::Closing);
            prop_assert_eq!(need(&format!("{code} +")), Need::Continuation);
        }
    }
}
