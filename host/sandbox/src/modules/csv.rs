//! `csv`: rows as JSON, all at once. Nothing is built in between: what is read is written on at once.
use std::fmt;

use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeSeed};
use wasmtime::component::{ComponentType, Lift, WasmStr};

use super::{Answer, Facade, Failure, Interface, Linking, Module, NO_GRANT_SCHEMA, NoGrant, Traffic, grant_of};
use crate::limits::{HOST_TEXT_BYTES, host_text_bytes};

pub(super) static MODULE: Module = Module {
    name: "csv",
    version: "0.1.0",
    docs: "Comma-separated values to arrays or objects and back.",
    interface: Some(Interface { name: "vm:csv/csv@0.1.0", wit: include_str!("../../../../wit/csv/csv.wit"), link }),
    facade: Some(Facade {
        source: concat!(include_str!("checks.js"), include_str!("csv.js")),
        types: include_str!("csv.d.ts"),
    }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[(
        "text_mb_base",
        (HOST_TEXT_BYTES >> 20) as u64,
        "an answer (rows count as JSON) of more than this and a quarter of `mem_mb` is ERR_BUFFER_TOO_LARGE",
    )],
    ..Module::BASE
};

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(record)]
struct Dialect {
    delimiter: char,
    quote: char,
    escape: Option<char>,
    comment: Option<char>,
}

impl Traffic for Dialect {}

fn link(csv: &mut Linking<'_>) -> wasmtime::Result<()> {
    csv.function("parse", |store, (text, dialect, flexible, trim): (WasmStr, Dialect, bool, bool)| {
        let max = host_text_bytes(store.data().meter.limits().mem_mb);
        Ok((parse(&text.to_str(&*store)?, dialect, flexible, trim, max),))
    })?;
    csv.function("stringify", |store, (rows, dialect, always, end): (WasmStr, Dialect, bool, WasmStr)| {
        let max = host_text_bytes(store.data().meter.limits().mem_mb);
        Ok((stringify(&rows.to_str(&*store)?, dialect, always, &end.to_str(&*store)?, max),))
    })
}

/// A character that the format can have in this place: one byte.
fn ascii(character: char, what: &str) -> Answer<u8> {
    let fits = character.is_ascii() && !matches!(character, '\r' | '\n' | '\0');
    let wrong =
        || Failure::new("ERR_INVALID_ARG_VALUE", format!("The property 'options.{what}' is no character of ASCII"));
    u8::try_from(character).ok().filter(|_| fits).ok_or_else(wrong)
}

fn too_large(max: usize) -> Failure {
    Failure::new("ERR_BUFFER_TOO_LARGE", format!("more than {max} bytes of text"))
}

fn parse(text: &str, dialect: Dialect, flexible: bool, trim: bool, max: usize) -> Answer<String> {
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(flexible).trim(if trim { csv::Trim::All } else { csv::Trim::None });
    reader.delimiter(ascii(dialect.delimiter, "delimiter")?).quote(ascii(dialect.quote, "quote")?);
    reader.comment(dialect.comment.map(|comment| ascii(comment, "comment")).transpose()?);
    if let Some(escape) = dialect.escape.filter(|escape| *escape != dialect.quote) {
        reader.escape(Some(ascii(escape, "escape")?)).double_quote(false);
    }
    let mut reader = reader.from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut record = csv::StringRecord::new();
    let mut out = Vec::new();
    let wrong = |error: csv::Error| match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            let message = format!("Invalid Record Length: expect {expected_len}, got {len} on line {line}");
            Failure::new("CSV_RECORD_INCONSISTENT_FIELDS_LENGTH", message)
        }
        _ => Failure::new("CSV_INVALID", error.to_string()),
    };
    while reader.read_record(&mut record).map_err(wrong)? {
        out.push(if out.is_empty() { b'[' } else { b',' });
        for (at, field) in record.iter().enumerate() {
            out.push(if at == 0 { b'[' } else { b',' });
            serde_json::to_writer(&mut out, field).map_err(|error| Failure::new("CSV_INVALID", error.to_string()))?;
        }
        if record.is_empty() {
            out.push(b'[');
        }
        out.push(b']');
        if out.len() > max {
            return Err(too_large(max));
        }
    }
    out.extend_from_slice(if out.is_empty() { b"[]" } else { b"]" });
    String::from_utf8(out).map_err(|error| Failure::new("CSV_INVALID", error.to_string()))
}

fn stringify(rows: &str, dialect: Dialect, always: bool, end: &str, max: usize) -> Answer<String> {
    let mut writer = csv::WriterBuilder::new();
    writer.flexible(true).delimiter(ascii(dialect.delimiter, "delimiter")?).quote(ascii(dialect.quote, "quote")?);
    writer.quote_style(if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary });
    if let Some(escape) = dialect.escape.filter(|escape| *escape != dialect.quote) {
        writer.escape(ascii(escape, "escape")?).double_quote(false);
    }
    writer.terminator(match end {
        "\r\n" => csv::Terminator::CRLF,
        _ => csv::Terminator::Any(b'\n'),
    });
    let mut writer = writer.from_writer(Bounded { bytes: Vec::new(), max });
    let mut json = serde_json::Deserializer::from_str(rows);
    let written = json.deserialize_seq(Rows(&mut writer));
    let full = || too_large(max);
    if let Err(error) = written {
        let message = error.to_string();
        return Err(if message.starts_with(FULL) { full() } else { Failure::new("ERR_INVALID_ARG_VALUE", message) });
    }
    let out = writer.into_inner().map_err(|_| full())?;
    String::from_utf8(out.bytes).map_err(|error| Failure::new("CSV_INVALID", error.to_string()))
}

const FULL: &str = "more than the text may have";

struct Bounded {
    bytes: Vec<u8>,
    max: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.max - self.bytes.len() {
            return Err(std::io::Error::other(FULL));
        }
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

type Writer = csv::Writer<Bounded>;

/// Rows, written as they are read.
struct Rows<'a>(&'a mut Writer);

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while rows.next_element_seed(Row(self.0))?.is_some() {}
        Ok(())
    }
}

/// One row of them.
struct Row<'a>(&'a mut Writer);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let full = |_| A::Error::custom(FULL);
        while let Some(field) = fields.next_element::<Field>()? {
            match field {
                Field::Text(text) => self.0.write_field(&*text),
                Field::Number(number) => self.0.write_field(number.to_string()),
                Field::Bool(value) => self.0.write_field(if value { "true" } else { "false" }),
                Field::Null(()) => self.0.write_field(""),
            }
            .map_err(full)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(full)
    }
}

/// What a field may be.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a field is a string, a number, a boolean or null")]
enum Field<'a> {
    Text(#[serde(borrow)] std::borrow::Cow<'a, str>),
    Number(serde_json::Number),
    Bool(bool),
    Null(()),
}
