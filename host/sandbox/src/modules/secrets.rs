//! `secrets`: the tenant's named values, by name.
use serde::Deserialize;

use super::{Answer, Facade, Failure, Interface, Linking, Module, State, always, read_grant};
use crate::host::Host;
use crate::services::{SECRET_NAME_BYTES_MAX, Services, is_secret_name};

pub(super) static MODULE: Module = Module {
    name: "secrets",
    version: "0.1.0",
    docs: "The tenant's secrets, by name: `secrets.ref(name)` stands for one in the headers of `fetch`, where the host puts \
        the value; `secrets.get(name)` is the value itself, where the template reveals it.",
    interface: Some(Interface {
        name: "vm:secrets/secrets@0.1.0",
        wit: include_str!("../../../../wit/secrets/secrets.wit"),
        link,
    }),
    facade: Some(Facade { source: include_str!("secrets.js"), types: Some(include_str!("secrets.d.ts")) }),
    grant_schema: r#"{"type": "object", "additionalProperties": false, "properties": {
            "names": {"type": "array", "items": {"type": "string"}, "default": [],
                "description": "Secrets that scripts may refer to"},
            "reveal": {"type": "array", "items": {"type": "string"}, "default": [],
                "description": "Secrets whose values scripts may read"}
        }}"#,
    check_grant: |config| read_grant::<Grant>(config)?.check(),
    limits: &[("name_bytes_max", SECRET_NAME_BYTES_MAX as u64, "a longer name is no name of a secret")],
    parts: &[],
    unavailable: always,
    ..Module::BASE
};

/// What a template's entry may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Grant {
    names: Vec<String>,
    reveal: Vec<String>,
}

impl Grant {
    fn check(&self) -> Result<(), String> {
        let wrong = self.names.iter().chain(&self.reveal).find(|name| !is_secret_name(name));
        wrong.map_or(Ok(()), |name| Err(format!("{name:?} is no name of a secret: letters, digits, `_`, `.` and `-`")))
    }
}

/// What a session may do with its tenant's secrets.
struct Named {
    grant: Grant,
    services: Services,
}

impl State for Named {
    const MODULE: &'static str = "secrets";
    type Grant = Grant;

    fn open(grant: Grant, host: &Host) -> Answer<Named> {
        Ok(Named { grant, services: host.services.clone() })
    }
}

impl Named {
    fn placeholder(&self, name: &str) -> Answer<String> {
        let known = |list: &[String]| list.iter().any(|listed| listed == name);
        if known(&self.grant.names) || known(&self.grant.reveal) {
            return Ok(format!("{{{{secret:{name}}}}}"));
        }
        Err(Failure::not_granted("secrets", "names", format!("secret {}", shown(name))))
    }

    fn get(&self, name: &str) -> Answer<impl Future<Output = Answer<String>> + Send + use<>> {
        if !self.grant.reveal.iter().any(|listed| listed == name) {
            return Err(Failure::not_granted("secrets", "reveal", format!("the value of secret {}", shown(name))));
        }
        let none = || Failure::new("ENOSECRET", "no secrets are kept here: `vm-system serve` keeps them");
        let found = self.services.secrets.as_ref().ok_or_else(none)?.secret(name);
        let name = name.to_owned();
        Ok(async move {
            let found = found.await.map_err(|why| Failure::new("EIO", format!("secret {name}: {why}")))?;
            let absent =
                || Failure::new("ENOSECRET", format!("there is no secret {name}: `vm-system secret set {name}`"));
            found.map(|secret| secret.value).ok_or_else(absent)
        })
    }
}

fn shown(name: &str) -> String {
    name[..name.floor_char_boundary(SECRET_NAME_BYTES_MAX)].escape_debug().to_string()
}

fn link(secrets: &mut Linking<'_>) -> wasmtime::Result<()> {
    secrets.function("placeholder", |store, (name,): (String,)| {
        Ok((store.data_mut().state::<Named>().and_then(|named| named.placeholder(&name)),))
    })?;
    secrets.asynchronous("get", |store, (name,): (String,)| {
        Ok(store.data_mut().state::<Named>().and_then(|named| named.get(&name)))
    })
}
