//! `env`: named values. The process's own environment is not among them, but for what the operator names.
use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Answer, Facade, Failure, Interface, Linking, Module, State, Traffic, always, read_grant};
use crate::host::Host;

/// Values of a grant, and what all of them may take.
const NAMES_MAX: usize = 1_000;
const BYTES_MAX: usize = 256 << 10;

pub(super) static MODULE: Module = Module {
    name: "env",
    version: "0.1.0",
    docs: "Named values: those that the template gives, and those of the server's environment that the template and the \
        operator name. Nothing else of the environment can be seen.",
    interface: Some(Interface { name: "vm:env/env@0.1.0", wit: include_str!("../../../../wit/env/env.wit"), link }),
    facade: Some(Facade { source: include_str!("env.js"), types: include_str!("env.d.ts") }),
    grant_schema: r#"{"type": "object", "additionalProperties": false, "properties": {
            "values": {"type": "object", "additionalProperties": {"type": "string"}, "default": {},
                "description": "Values that scripts see"},
            "names": {"type": "array", "items": {"type": "string"}, "default": [],
                "description": "Variables of the server's environment that scripts see, where the operator allows it (--allow-env)"}
        }}"#,
    check_grant: |config| read_grant::<Grant>(config)?.check(),
    limits: &[
        ("names_max", NAMES_MAX as u64, "a grant with more names is refused"),
        ("value_bytes_max", BYTES_MAX as u64, "a grant whose names and values take more is refused"),
    ],
    parts: &[],
    unavailable: always,
    ..Module::BASE
};

/// What a template's entry may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Grant {
    values: BTreeMap<String, String>,
    names: Vec<String>,
}

impl Grant {
    fn check(&self) -> Result<(), String> {
        if self.values.len() + self.names.len() > NAMES_MAX {
            return Err(format!("values, names: more than {NAMES_MAX}"));
        }
        let bytes: usize = self.values.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > BYTES_MAX {
            return Err(format!("values: more than {BYTES_MAX} bytes"));
        }
        let wrong = self.values.keys().chain(&self.names).find(|name| name.is_empty() || name.contains(['=', '\0']));
        wrong.map_or(Ok(()), |name| Err(format!("{name:?} is no name of a variable")))
    }
}

/// What a session sees.
struct Env {
    values: BTreeMap<String, String>,
    /// Granted, but the operator does not allow it.
    refused: Vec<String>,
}

impl State for Env {
    const MODULE: &'static str = "env";
    type Grant = Grant;

    fn open(grant: Grant, host: &Host) -> Answer<Env> {
        let Grant { mut values, names } = grant;
        let mut refused = Vec::new();
        for name in names {
            match host.policy.env.get(&name) {
                // What the template itself says goes first.
                Some(Some(value)) => drop(values.entry(name).or_insert_with(|| value.clone())),
                Some(None) => {}
                None if values.contains_key(&name) => {}
                None => refused.push(name),
            }
        }
        Ok(Env { values, refused })
    }
}

impl Env {
    fn get(&self, name: &str) -> Answer<Option<String>> {
        if self.refused.iter().any(|refused| refused == name) {
            let message = format!(
                "{name}: `names` of module 'env' in the template grants it, the operator does not: --allow-env {name}"
            );
            return Err(Failure::new("NOT_GRANTED", message));
        }
        Ok(self.values.get(name).cloned())
    }
}

/// Names with their values.
type Pairs = Vec<(String, String)>;

impl Traffic for Pairs {
    fn bytes(&self, _: &super::Store<'_>) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

fn link(env: &mut Linking<'_>) -> wasmtime::Result<()> {
    env.function("get", |store, (name,): (String,)| {
        Ok((store.data_mut().state::<Env>().and_then(|env| env.get(&name)),))
    })?;
    env.function("all", |store, (): ()| {
        let pairs =
            |env: &mut Env| env.values.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Pairs>();
        Ok((store.data_mut().state::<Env>().map(pairs),))
    })
}
