//! Shows a completion value the way Node's REPL does, from its type, `String(v)` and JSON.
//!
//! The layout is `util.inspect`'s with its defaults: depth 2, 100 elements, 80 columns. What JSON leaves out (functions
//! in objects, the class of an instance) is left out here as well.

use std::fmt::Write as _;

use model::{JsType, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

const DEPTH_MAX: usize = 2;
const ELEMENTS_MAX: usize = 100;
const COLUMNS: usize = 80;
/// How many nested levels may share one line.
const COMPACT: usize = 3;

/// The value as one text, without a line break at its end.
pub fn inspect(value: &Value) -> String {
    let json = value.json.as_deref().map(RawValue::get);
    match (value.ty, json) {
        (JsType::String, Some(json)) => from_json(json),
        (JsType::String, None) => quote(&value.preview),
        (JsType::Bigint, _) => format!("{}n", value.preview),
        (JsType::Function, _) => function(&value.preview),
        (JsType::Array, Some(json)) => from_json(json),
        // A date: its JSON is a string, which Node shows without quotes.
        (JsType::Object, Some(json)) if is_date(json) => json.trim_matches('"').to_owned(),
        // An error, a regular expression, a map: the text says more than the properties.
        (JsType::Object, Some("{}")) if value.preview != "[object Object]" => value.preview.clone(),
        (JsType::Object, Some(json)) => from_json(json),
        (JsType::Array, None) => format!("[ {} ]", value.preview),
        _ => value.preview.clone(),
    }
}

/// Whether `json` is what `Date.prototype.toJSON` writes: `"1970-01-01T00:00:00.000Z"`, with a sign and six digits for
/// far years.
fn is_date(json: &str) -> bool {
    let digits = |text: &str, shape: &str| {
        let fits = |(c, s): (char, char)| if s == '0' { c.is_ascii_digit() } else { c == s };
        text.len() == shape.len() && text.chars().zip(shape.chars()).all(fits)
    };
    digits(json, "\"0000-00-00T00:00:00.000Z\"")
        || ['+', '-'].iter().any(|sign| digits(json, &format!("\"{sign}000000-00-00T00:00:00.000Z\"")))
}

/// What a function's source says about it.
fn function(source: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let source = source.trim_start();
    if source.starts_with("class") && !source[5..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        let head = words(source.split('{').next().unwrap_or_default());
        return match head.strip_prefix("class extends ") {
            Some(parent) => format!("[class (anonymous) extends {parent}]"),
            None if head == "class" => "[class (anonymous)]".to_owned(),
            None => format!("[{head}]"),
        };
    }
    let head = source.split('(').next().unwrap_or_default();
    let arrow = !head.contains("function");
    let (asynchronous, head) = match head.trim_start().strip_prefix("async") {
        Some(rest) if rest.starts_with([' ', '*']) || rest.is_empty() => (true, rest),
        _ => (false, head),
    };
    let generator = head.contains('*');
    let kind = match (asynchronous, generator) {
        (false, false) => "Function",
        (true, false) => "AsyncFunction",
        (false, true) => "GeneratorFunction",
        (true, true) => "AsyncGeneratorFunction",
    };
    let name = words(&head.replace('*', " ").replacen("function", " ", 1));
    // `x => ...` has no parentheses: what stands before the first one is no name then.
    if name.is_empty() || (arrow && name.contains("=>")) {
        return format!("[{kind} (anonymous)]");
    }
    format!("[{kind}: {name}]")
}

fn from_json(json: &str) -> String {
    Inspector { indent: 0, deepest: 0 }.show(json, 0)
}

struct Inspector {
    /// Columns that the parents take.
    indent: usize,
    /// Depth of the object that was shown last; decides how many levels share a line.
    deepest: usize,
}

impl Inspector {
    fn show(&mut self, json: &str, depth: usize) -> String {
        match json.as_bytes().first() {
            Some(b'{') => match serde_json::from_str::<Entries<'_>>(json) {
                Ok(Entries(entries)) if entries.is_empty() => "{}".to_owned(),
                Ok(_) if depth > DEPTH_MAX => "[Object]".to_owned(),
                Ok(Entries(entries)) => self.object(&entries, depth),
                Err(_) => json.to_owned(),
            },
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(json) {
                Ok(elements) if elements.is_empty() => "[]".to_owned(),
                Ok(_) if depth > DEPTH_MAX => "[Array]".to_owned(),
                Ok(elements) => self.array(&elements, depth),
                Err(_) => json.to_owned(),
            },
            Some(b'"') => match parse_string(json) {
                Some(text) => self.string(&text, depth),
                None => json.to_owned(),
            },
            _ => json.to_owned(),
        }
    }

    /// A long text of several lines is shown as a sum of its lines.
    fn string(&self, text: &str, depth: usize) -> String {
        let wide = text.chars().count();
        if depth > 0 && wide > 16 && wide + self.indent + 4 > COLUMNS && text.trim_end_matches('\n').contains('\n') {
            let lines: Vec<String> = text.split_inclusive('\n').map(quote).collect();
            return lines.join(&format!(" +\n{}", " ".repeat(self.indent + 2)));
        }
        quote(text)
    }

    fn object(&mut self, entries: &[(String, &RawValue)], depth: usize) -> String {
        self.deepest = depth;
        let mut shown = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let value = self.child(value, depth);
            let plain = !key.is_empty()
                && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !key.starts_with(|c: char| c.is_ascii_digit());
            shown.push(if plain { format!("{key}: {value}") } else { format!("{}: {value}", quote(key)) });
        }
        self.lay_out('{', &shown, '}', depth, shown.len())
    }

    fn array(&mut self, elements: &[&RawValue], depth: usize) -> String {
        self.deepest = depth;
        let mut shown: Vec<String> = elements.iter().take(ELEMENTS_MAX).map(|value| self.child(value, depth)).collect();
        let numbers = elements.iter().all(|e| e.get().starts_with(|c: char| c.is_ascii_digit() || c == '-'));
        let more = elements.len().saturating_sub(ELEMENTS_MAX);
        if more > 0 {
            shown.push(format!("... {more} more item{}", if more == 1 { "" } else { "s" }));
        }
        let count = shown.len();
        if count > 6 {
            shown = self.group(shown, more > 0, numbers);
        }
        self.lay_out('[', &shown, ']', depth, count)
    }

    fn child(&mut self, value: &RawValue, depth: usize) -> String {
        self.indent += 2;
        let shown = self.show(value.get(), depth + 1);
        self.indent -= 2;
        shown
    }

    /// On one line if it is short and shallow, else a line for each part.
    fn lay_out(&self, open: char, parts: &[String], close: char, depth: usize, ungrouped: usize) -> String {
        if self.deepest - depth < COMPACT && parts.len() == ungrouped {
            let start = parts.len() + self.indent + 11;
            let total: usize = parts.iter().map(|p| p.chars().count() + 1).sum::<usize>() + start;
            if total <= COLUMNS && !parts.iter().any(|p| p.contains('\n')) {
                return format!("{open} {} {close}", parts.join(", "));
            }
        }
        let indent = " ".repeat(self.indent);
        format!("{open}\n{indent}  {}\n{indent}{close}", parts.join(&format!(",\n{indent}  ")))
    }

    /// Lines a long array up in columns; Node's `groupArrayElements`.
    fn group(&self, shown: Vec<String>, more: bool, numbers: bool) -> Vec<String> {
        let count = shown.len() - usize::from(more);
        let widths: Vec<usize> = shown[..count].iter().map(|s| s.chars().count()).collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        let total: usize = widths.iter().map(|w| w + 2).sum();
        let cell = widest + 2;
        let even = total as f64 / cell as f64 > 5.0 || widest <= 6;
        if cell * 3 + self.indent >= COLUMNS || !even || shown.iter().any(|s| s.contains('\n')) {
            return shown;
        }
        let bias = (cell as f64 - total as f64 / shown.len() as f64).sqrt();
        let biased = (cell as f64 - 3.0 - bias).max(1.0);
        let square = ((2.5 * biased * count as f64).sqrt() / biased).round() as usize;
        let columns = square.min((COLUMNS - self.indent) / cell).min(COMPACT * 4).min(15);
        if columns <= 1 {
            return shown;
        }
        let column_width = |column: usize| widths.iter().skip(column).step_by(columns).max().copied().unwrap_or(0);
        let column_widths: Vec<usize> = (0..columns).map(column_width).collect();
        let mut rows: Vec<String> = Vec::with_capacity(count / columns + 2);
        for start in (0..count).step_by(columns) {
            let row = &shown[start..count.min(start + columns)];
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = column_widths[column];
                let last = column + 1 == row.len();
                // Writing to a string does not fail.
                let _ = match (numbers, last) {
                    (true, true) => write!(line, "{cell:>width$}"),
                    (true, false) => write!(line, "{:>1$}", format!("{cell}, "), width + 2),
                    (false, true) => write!(line, "{cell}"),
                    (false, false) => write!(line, "{:<1$}", format!("{cell}, "), width + 2),
                };
            }
            rows.push(line);
        }
        rows.extend(shown.into_iter().skip(count));
        rows
    }
}

/// `None` for a lone surrogate, which Rust's strings cannot hold: the JSON text is shown instead.
fn parse_string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// In single quotes, unless others spare an escape.
fn quote(text: &str) -> String {
    let quote = match (text.contains('\''), text.contains('"'), text.contains('`') || text.contains("${")) {
        (true, false, _) => '"',
        (true, true, false) => '`',
        _ => '\'',
    };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 || (0x7f..0xa0).contains(&u32::from(c)) => {
                let _ = write!(out, "\\x{:02X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// An object's properties in their order, which serde_json's own map would sort.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(ty: JsType, preview: &str, json: Option<&str>) -> Value {
        let json = json.map(|j| RawValue::from_string(j.to_owned()).unwrap());
        Value { ty, preview: preview.to_owned(), json }
    }

    fn object(json: &str) -> String {
        let ty = if json.starts_with('[') { JsType::Array } else { JsType::Object };
        inspect(&value(ty, "[object Object]", Some(json)))
    }

    #[test]
    fn primitives_look_like_their_literals() {
        assert_eq!(inspect(&value(JsType::Undefined, "undefined", Some("null"))), "undefined");
        assert_eq!(inspect(&value(JsType::Null, "null", Some("null"))), "null");
        assert_eq!(inspect(&value(JsType::Number, "1e+21", Some("1e+21"))), "1e+21");
        assert_eq!(inspect(&value(JsType::Number, "NaN", None)), "NaN");
        assert_eq!(inspect(&value(JsType::Bigint, "12", None)), "12n");
        assert_eq!(inspect(&value(JsType::Symbol, "Symbol(a)", None)), "Symbol(a)");
        assert_eq!(inspect(&value(JsType::String, "a'b\n", Some("\"a'b\\n\""))), "\"a'b\\n\"");
        assert_eq!(inspect(&value(JsType::String, "a\u{1}", Some("\"a\\u0001\""))), "'a\\x01'");
        assert_eq!(inspect(&value(JsType::String, "'\"", None)), "`'\"`");
        assert_eq!(inspect(&value(JsType::String, "\u{fffd}", Some("\"\\ud800\""))), "\"\\ud800\"");
    }

    #[test]
    fn functions_say_what_they_are() {
        for (source, shown) in [
            ("function f(a, b) { return a }", "[Function: f]"),
            ("function (a) {}", "[Function (anonymous)]"),
            ("(a) => a", "[Function (anonymous)]"),
            ("x => f(x)", "[Function (anonymous)]"),
            ("async x => f(x)", "[AsyncFunction (anonymous)]"),
            ("async function go() {}", "[AsyncFunction: go]"),
            ("function* g() {}", "[GeneratorFunction: g]"),
            ("async function *g() {}", "[AsyncGeneratorFunction: g]"),
            ("class A { m() {} }", "[class A]"),
            ("class A extends B {}", "[class A extends B]"),
            ("class {}", "[class (anonymous)]"),
            ("class extends B {}", "[class (anonymous) extends B]"),
            ("function push() {\n    [native code]\n}", "[Function: push]"),
            ("classify() {}", "[Function: classify]"),
        ] {
            assert_eq!(inspect(&value(JsType::Function, source, None)), shown, "{source}");
        }
    }

    #[test]
    fn objects_keep_their_order_and_break_where_node_breaks() {
        assert_eq!(object("{}"), "{}");
        assert_eq!(object("[]"), "[]");
        assert_eq!(object(r#"{"b":1,"a":"x","c-d":[1,2,[]]}"#), "{ b: 1, a: 'x', 'c-d': [ 1, 2, [] ] }");
        assert_eq!(object(r#"{"a":{"b":{"c":{"d":1}}}}"#), "{ a: { b: { c: [Object] } } }");
        assert_eq!(object(r#"{"a":{"b":{"c":[1]}}}"#), "{ a: { b: { c: [Array] } } }");
        let long = "x".repeat(40);
        assert_eq!(
            object(&format!(r#"{{"a":"{long}","b":"{long}"}}"#)),
            format!("{{\n  a: '{long}',\n  b: '{long}'\n}}")
        );
    }

    #[test]
    fn long_arrays_stand_in_columns() {
        let numbers: Vec<String> = (0..101).map(|n| n.to_string()).collect();
        let shown = object(&format!("[{}]", numbers.join(",")));
        assert!(shown.starts_with("[\n   0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11,\n  12, 13,"), "{shown}");
        assert!(shown.ends_with("96, 97, 98, 99,\n  ... 1 more item\n]"), "{shown}");
        assert_eq!(object(r#"["a","b","c","d","e","f","g"]"#), "[\n  'a', 'b', 'c',\n  'd', 'e', 'f',\n  'g'\n]");
    }

    #[test]
    fn objects_whose_text_says_more_show_it() {
        assert_eq!(inspect(&value(JsType::Object, "Error: x", Some("{}"))), "Error: x");
        assert_eq!(inspect(&value(JsType::Object, "/a/g", Some("{}"))), "/a/g");
        assert_eq!(
            inspect(&value(JsType::Object, "Thu Jan", Some("\"1970-01-01T00:00:00.000Z\""))),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(object("\"own\""), "'own'");
        assert_eq!(inspect(&value(JsType::Object, "[object Object]", None)), "[object Object]");
    }

    proptest! {
        #[test]
        fn whatever_the_guest_sends_is_shown(preview in ".*", json in proptest::option::of("[\\[{}\\],:\"a0-9 .e-]*")) {
            for ty in [JsType::String, JsType::Object, JsType::Array, JsType::Function, JsType::Bigint] {
                // Not every text is JSON; those that are must be shown whatever type they claim.
                let json = json.clone().and_then(|j| RawValue::from_string(j).ok());
                inspect(&Value { ty, preview: preview.clone(), json });
            }
        }

        #[test]
        fn deep_and_wide_values_are_shown(depth in 0usize..60, width in 0usize..150) {
            let inner = vec!["12"; width].join(",");
            object(&format!("{}[{inner}]{}", "{\"k\":[".repeat(depth), "]}".repeat(depth)));
        }
    }
}
