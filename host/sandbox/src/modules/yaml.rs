//! `yaml`: through a parser with a budget, written on as JSON while it is read: no tree is built in between, so aliases that
//! stand for a thousand others cost what they come to as text, which is bounded.
use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use wasmtime::component::WasmStr;

use super::{Answer, Facade, Failure, Interface, Linking, Module, NO_GRANT_SCHEMA, NoGrant, Store, grant_of};
use crate::limits::host_text_bytes;

/// Longest text: it can't be stopped on its way.
const TEXT_BYTES_MAX: usize = 4 << 20;
const DEPTH_MAX: usize = 100;
const NODES_MAX: usize = 250_000;
const DOCUMENTS_MAX: usize = 1_000;

pub(super) static MODULE: Module = Module {
    name: "yaml",
    version: "0.2.0",
    docs: "YAML 1.2 to values and back.",
    interface: Some(Interface { name: "vm:yaml/yaml@0.2.0", wit: include_str!("../../../../wit/yaml/yaml.wit"), link }),
    before: &[("vm:yaml/yaml@0.1.0", link_before)],
    facade: Some(Facade {
        source: concat!(include_str!("checks.js"), include_str!("yaml.js")),
        types: include_str!("yaml.d.ts"),
    }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[
        ("text_bytes_max", TEXT_BYTES_MAX as u64, "a longer text is refused with ERR_BUFFER_TOO_LARGE"),
        ("depth_max", DEPTH_MAX as u64, "what is nested deeper is refused with ERR_YAML"),
        (
            "nodes_max",
            NODES_MAX as u64,
            "more nodes, aliases counted as what they stand for, are refused with ERR_YAML",
        ),
        ("documents_max", DOCUMENTS_MAX as u64, "more documents in a text are refused with ERR_YAML"),
    ],
    ..Module::BASE
};

fn link(yaml: &mut Linking<'_>) -> wasmtime::Result<()> {
    yaml.function("parse", |store, (text, all): (WasmStr, bool)| {
        let parse = if all { parse_all } else { parse };
        read(store, &text, parse)
    })?;
    common(yaml)
}

/// Version 0.1.0, for heaps that were stored with it.
fn link_before(yaml: &mut Linking<'_>) -> wasmtime::Result<()> {
    yaml.function("parse", |store, (text,): (WasmStr,)| read(store, &text, parse))?;
    yaml.function("parse-all", |store, (text,): (WasmStr,)| read(store, &text, parse_all))?;
    common(yaml)
}

fn common(yaml: &mut Linking<'_>) -> wasmtime::Result<()> {
    yaml.function("stringify", |store, (json, indent): (WasmStr, u32)| {
        let max = host_text_bytes(store.data().meter.limits().mem_mb);
        Ok((stringify(&json.to_str(&*store)?, indent, max),))
    })
}

fn read(
    store: &mut Store<'_>,
    text: &WasmStr,
    parse: fn(&str, usize) -> Answer<String>,
) -> wasmtime::Result<(Answer<String>,)> {
    let max = host_text_bytes(store.data().meter.limits().mem_mb);
    Ok((parse(&text.to_str(&*store)?, max),))
}

fn options() -> serde_saphyr::Options {
    let budget = serde_saphyr::budget! {
        max_depth: DEPTH_MAX,
        flow_nesting_limit: DEPTH_MAX,
        max_nodes: NODES_MAX,
        max_events: 2 * NODES_MAX,
        max_documents: DOCUMENTS_MAX,
        max_recorded_anchor_bytes: 16 << 20,
        // What aliases come to is bounded by itself.
        enforce_alias_anchor_ratio: false,
    };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES_MAX, max_replay_stack_depth: 32 },
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn too_large(max: usize) -> Failure {
    Failure::new("ERR_BUFFER_TOO_LARGE", format!("more than {max} bytes of text"))
}

fn failure(error: impl fmt::Display, max: usize) -> Failure {
    let message: String = error.to_string().chars().take(500).collect();
    // Advice for who writes Rust.
    let message = message
        .replace("; use from_str_multiple or from_str_multiple_with_options", ": parseAll reads them")
        .replace(", set DuplicateKeyPolicy in Options if acceptable", "");
    if message.contains(FULL) { too_large(max) } else { Failure::new("ERR_YAML", message) }
}

fn parse(text: &str, max: usize) -> Answer<String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(too_large(TEXT_BYTES_MAX));
    }
    let mut json = Json { text: String::new(), max };
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        Node(&mut json).deserialize(yaml)
    });
    read.map(|()| json.text).map_err(|error| failure(error, max))
}

fn parse_all(text: &str, max: usize) -> Answer<String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(too_large(TEXT_BYTES_MAX));
    }
    LEFT.set(max);
    let read = serde_saphyr::from_multiple_with_options::<Document>(text, options());
    let documents = read.map_err(|error| failure(error, max))?;
    let mut out = String::from("[");
    for (at, Document(json)) in documents.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        out.push_str(json);
    }
    out.push(']');
    Ok(out)
}

thread_local! {
    /// What all documents of the text that is being read may still come to: the parser makes each by its type alone.
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// JSON of one document.
struct Document(String);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(yaml: D) -> Result<Document, D::Error> {
        let mut json = Json { text: String::new(), max: LEFT.get() };
        Node(&mut json).deserialize(yaml)?;
        LEFT.set(LEFT.get().saturating_sub(json.text.len() + 1));
        Ok(Document(json.text))
    }
}

const FULL: &str = "more than the text may have";

/// JSON that grows no further than this.
struct Json {
    text: String,
    max: usize,
}

impl Json {
    fn put<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        if text.len() > self.max - self.text.len() {
            return Err(E::custom(FULL));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn put_text<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        if text.len() > self.max - self.text.len() {
            return Err(E::custom(FULL));
        }
        self.put(&serde_json::to_string(text).map_err(E::custom)?)
    }
}

/// A node, written as it is read.
struct Node<'a>(&'a mut Json);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, yaml: D) -> Result<(), D::Error> {
        yaml.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.put("null")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.put("null")
    }

    fn visit_some<D: Deserializer<'de>>(self, yaml: D) -> Result<(), D::Error> {
        yaml.deserialize_any(self)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.0.put(if value { "true" } else { "false" })
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.0.put(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.0.put(&value.to_string())
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<(), E> {
        self.0.put(&value.to_string())
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<(), E> {
        self.0.put(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        // JSON has no word for these: what is too large is infinite for a reader, and the facade knows the other.
        match value {
            f64::INFINITY => self.0.put("1e999"),
            f64::NEG_INFINITY => self.0.put("-1e999"),
            value if value.is_nan() => self.0.put(r#""\u0000NaN""#),
            value => self.0.put(&value.to_string()),
        }
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.0.put_text(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.put("[")?;
        let mut first = true;
        loop {
            let before = self.0.text.len();
            if !first {
                self.0.put(",")?;
            }
            if items.next_element_seed(Node(self.0))?.is_none() {
                self.0.text.truncate(before);
                return self.0.put("]");
            }
            first = false;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.put("{")?;
        let mut first = true;
        while let Some(Key(key)) = entries.next_key()? {
            if !first {
                self.0.put(",")?;
            }
            first = false;
            self.0.put_text(&key)?;
            self.0.put(":")?;
            entries.next_value_seed(Node(self.0))?;
        }
        self.0.put("}")
    }
}

/// A name in a mapping: text, or what is shown as such.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(yaml: D) -> Result<Key, D::Error> {
        let mut json = Json { text: String::new(), max: TEXT_BYTES_MAX };
        Node(&mut json).deserialize(yaml)?;
        match serde_json::from_str(&json.text) {
            Ok(serde_json::Value::String(text)) => Ok(Key(text)),
            Ok(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => {
                Err(D::Error::custom("a key that is a sequence or a mapping has no name in JavaScript"))
            }
            _ => Ok(Key(json.text)),
        }
    }
}

fn stringify(json: &str, indent: u32, max: usize) -> Answer<String> {
    let options = serde_saphyr::ser_options! { indent_step: indent.clamp(1, 8) as usize };
    let mut out = Yaml { text: String::new(), max };
    let mut json = serde_json::Deserializer::from_str(json);
    let value = serde_transcode::Transcoder::new(&mut json);
    serde_saphyr::to_fmt_writer_with_options(&mut out, &value, options)
        .map_err(|error| if out.text.len() + 64 > max { too_large(max) } else { failure(error, max) })?;
    Ok(out.text)
}

/// YAML that grows no further than this.
struct Yaml {
    text: String,
    max: usize,
}

impl fmt::Write for Yaml {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > self.max - self.text.len() {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}
