//! Tables of client commands. Scripts cut them by column, so a row is one line whatever is in its cells.
use std::borrow::Cow;
use std::fmt::Write as _;

/// A table: titles and widths of its columns, and the length of the line below the titles. A last column of width 0 is
/// as wide as it needs.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Title and width of each column.
    pub columns: &'static [(&'static str, usize)],
    /// Dashes below the titles.
    pub dashes: usize,
}

impl Table {
    /// Titles and dashes.
    pub fn head(&self) -> String {
        let titles: Vec<&str> = self.columns.iter().map(|(title, _)| *title).collect();
        format!("{}\n{}", self.row(&titles), "-".repeat(self.dashes))
    }

    /// One row. Cells that are too wide push the others rather than being cut.
    pub fn row(&self, cells: &[&str]) -> String {
        let mut out = String::new();
        for (at, ((_, width), cell)) in self.columns.iter().zip(cells).enumerate() {
            let gap = if at == 0 { "" } else { " " };
            // Writing to a string does not fail.
            let _ = write!(out, "{gap}{:<width$}", line(cell));
        }
        out
    }

    /// The whole table, or `empty` when there are no rows.
    pub fn show<'a, const N: usize>(&self, rows: impl IntoIterator<Item = [&'a str; N]>, empty: &str) -> Vec<String> {
        let mut lines: Vec<String> = rows.into_iter().map(|cells| self.row(&cells)).collect();
        lines.insert(0, if lines.is_empty() { empty.to_owned() } else { self.head() });
        lines
    }
}

/// `text` as one line: control characters, line breaks among them, are spelt out.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A time of the API without its fraction of a second, as lists show it.
pub fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, rest)) => {
            format!("{whole}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => time.to_owned(),
    }
}

/// The time of day in a time of the API.
pub fn clock(time: &str) -> &str {
    time.split_once('T').and_then(|(_, clock)| clock.get(..8)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table { columns: &[("ID", 4), ("Name", 6), ("Rest", 0)], dashes: 14 };

    #[test]
    fn columns_are_fixed() {
        let lines = TABLE.show([["1", "π", "a b"], ["12345", "n\nm", ""]], "None");
        assert_eq!(lines, ["ID   Name   Rest\n--------------", "1    π      a b", "12345 n\\nm   "]);
        assert_eq!(TABLE.show::<3>([], "None"), ["None"]);
    }

    #[test]
    fn a_line_is_one_line_without_control_characters() {
        assert_eq!(line("a\x1b[2J\r\nb\u{9b}"), "a\\u{1b}[2J\\r\\nb\\u{9b}");
    }

    #[test]
    fn times_lose_their_fraction() {
        assert_eq!(seconds("2026-01-02T03:04:05.678901Z"), "2026-01-02T03:04:05Z");
        assert_eq!(seconds("2026-01-02T03:04:05.6+02:00"), "2026-01-02T03:04:05+02:00");
        assert_eq!(seconds("x"), "x");
        assert_eq!(clock("2026-01-02T03:04:05.678901Z"), "03:04:05");
        assert_eq!(clock("x"), "x");
        assert_eq!(clock("Tππππππππ"), "ππππ");
    }
}
