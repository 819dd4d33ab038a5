//! Changes of a source: blanks, replacements and insertions, applied together.

enum Text {
    /// A space for every character; ends of lines stay.
    Blank,
    /// The text, and the ends of lines that were there.
    New(String),
}

pub struct Edits<'s> {
    source: &'s str,
    edits: Vec<(usize, usize, Text)>,
}

fn is_line_end(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

impl<'s> Edits<'s> {
    pub fn new(source: &'s str) -> Self {
        Edits { source, edits: Vec::new() }
    }

    pub fn text(&self, start: u32, end: u32) -> &'s str {
        self.source.get(start as usize..end as usize).unwrap_or_default()
    }

    pub fn has_line_end(&self, start: u32, end: u32) -> bool {
        self.text(start, end).contains(is_line_end)
    }

    pub fn blank(&mut self, start: u32, end: u32) {
        self.edits.push((start as usize, end as usize, Text::Blank));
    }

    pub fn replace(&mut self, start: u32, end: u32, text: impl Into<String>) {
        self.edits.push((start as usize, end as usize, Text::New(text.into())));
    }

    pub fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.replace(at, at, text);
    }

    /// Blanks a statement or a member of a class. A semicolon stays, lest what is before and behind run into one.
    pub fn blank_statement(&mut self, start: u32, end: u32) {
        self.replace(start, start + 1, ";");
        self.blank(start + 1, end);
    }

    /// The place of the next token: behind white space and comments.
    pub fn skip(&self, at: u32) -> u32 {
        let mut rest = self.source.get(at as usize..).unwrap_or_default();
        loop {
            let trimmed =
                rest.trim_start_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
            rest = if let Some(comment) = trimmed.strip_prefix("//") {
                comment.find(is_line_end).map_or("", |end| &comment[end..])
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                comment.split_once("*/").map_or("", |(_, rest)| rest)
            } else {
                return (self.source.len() - trimmed.len()) as u32;
            };
        }
    }

    /// The byte of the next token, and its place.
    pub fn next(&self, at: u32) -> (u8, u32) {
        let at = self.skip(at);
        (self.source.as_bytes().get(at as usize).copied().unwrap_or(0), at)
    }

    /// Blanks the next token if it is this one byte. Answers where to go on.
    pub fn blank_next(&mut self, at: u32, byte: u8) -> u32 {
        match self.next(at) {
            (found, at) if found == byte => {
                self.blank(at, at + 1);
                at + 1
            }
            _ => at,
        }
    }

    /// The words from `start` to `end` with their places.
    pub fn words(&self, start: u32, end: u32) -> Vec<(&'s str, u32)> {
        let mut words = Vec::new();
        let mut at = self.skip(start);
        while at < end {
            let rest = self.source.get(at as usize..end as usize).unwrap_or_default();
            let len = rest.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(rest.len());
            if len > 0 {
                words.push((&rest[..len], at));
            }
            at = self.skip(at + len.max(rest.chars().next().map_or(1, char::len_utf8)) as u32);
        }
        words
    }

    pub fn apply(mut self) -> String {
        self.edits.sort_by_key(|(start, end, _)| (*start, *end));
        let mut out = String::with_capacity(self.source.len() + 64);
        let mut done = 0;
        for (start, end, text) in self.edits {
            // One inside another that was blanked.
            if end < done || (start < done && end == done) {
                continue;
            }
            let start = start.max(done);
            out.push_str(&self.source[done..start]);
            let old = &self.source[start..end];
            match text {
                Text::Blank => out.extend(old.chars().map(|old| if is_line_end(old) { old } else { ' ' })),
                Text::New(text) => {
                    out.push_str(&text);
                    out.extend(old.chars().filter(|old| is_line_end(*old)));
                }
            }
            done = end;
        }
        out.push_str(&self.source[done..]);
        out
    }
}
