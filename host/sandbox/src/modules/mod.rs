//! The native modules. One is: a WIT package in `wit/`, a Rust file here, an entry in [`ALL`], and perhaps a facade in
//! JavaScript where Node's conventions want another shape than WIT's. The guest is neither edited nor rebuilt.
mod crypto;
mod csv;
pub(crate) mod database;
#[cfg(feature = "echo")]
pub(crate) mod echo;
mod env;
mod exec;
mod fetch;
pub(crate) mod fs;
mod kv;
mod linking;
mod markdown;
pub(crate) mod node;
mod os;
mod secrets;
mod template;
mod time;
mod timer;
mod yaml;
mod zlib;

use std::any::Any;

use serde::de::DeserializeOwned;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use crate::error::Error;
use crate::host::Host;
use crate::services::Policy;

pub use fetch::{Authorities, AuthoritiesError, Network, NetworkError, Origin};
pub(crate) use linking::{ASYNC, BOTH, Given, Linking, Store, Traffic, twin};

/// A module that templates may list.
pub struct Module {
    /// The name that templates list and scripts `require`.
    pub name: &'static str,
    /// Version of its interface; part of every image's hash.
    pub version: &'static str,
    /// One paragraph for people.
    pub docs: &'static str,
    /// What an image imports for it. None: it is JavaScript alone and reaches nothing.
    pub interface: Option<Interface>,
    /// Interfaces of its former versions, with their package and version, and what links them: stored heaps import those.
    pub(crate) before: &'static [(&'static str, Link)],
    /// What `require` answers. None: the functions of the interface as they are.
    pub facade: Option<Facade>,
    /// JSON Schema of its grant: what `config` of a template's entry may be, besides `audit`.
    pub grant_schema: &'static str,
    /// Checks a grant without `audit`: what does [`grant_of`] for its type.
    pub(crate) check_grant: fn(&str) -> Result<(), String>,
    /// What it bounds, beyond its grant: name with its unit last, the number, and what happens past it.
    pub limits: &'static [(&'static str, u64, &'static str)],
    /// Further names that scripts can `require`, each with the export of the facade that it answers with:
    /// `("fs/promises", "promises")`.
    pub parts: &'static [(&'static str, &'static str)],
    /// Globals that listing it makes, each with the export of the facade that it is.
    pub globals: &'static [(&'static str, &'static str)],
    /// Why this operator's sessions can't use it, if they can't. Templates may list it all the same: it says so when it is
    /// called.
    pub unavailable: fn(&Policy) -> Option<String>,
}

/// The host's side of a module.
pub struct Interface {
    /// The WIT interface, with its package and version.
    pub name: &'static str,
    /// The WIT package, as text.
    pub wit: &'static str,
    pub(crate) link: Link,
}

/// Adds a module's functions to an instance.
pub(crate) type Link = fn(&mut Linking<'_>) -> wasmtime::Result<()>;

/// The JavaScript side of a module: an ES module, evaluated once when an image is built, inside the sandbox. It imports
/// its interface's functions as the default of `host:NAME`, and other facades as `node:NAME`, listed or not. What
/// `require` answers is its default export, or else an object of what it exports by name.
pub struct Facade {
    /// Its source.
    pub source: &'static str,
    /// Its declarations, the inside of a `declare module` block.
    pub types: &'static str,
}

/// The modules that an engine has unless it is told otherwise.
pub(crate) static ALL: &[&Module] = &[
    &crypto::MODULE,
    &csv::MODULE,
    &database::MODULE,
    &env::MODULE,
    &exec::MODULE,
    &fetch::MODULE,
    &fs::MODULE,
    &kv::MODULE,
    &markdown::MODULE,
    &os::MODULE,
    &secrets::MODULE,
    &template::MODULE,
    &time::MODULE,
    &timer::MODULE,
    &yaml::MODULE,
    &zlib::MODULE,
    &node::ASSERT,
    &node::BUFFER,
    &node::EVENTS,
    &node::PATH,
    &node::QUERYSTRING,
    &node::STRING_DECODER,
    &node::TIMERS,
    &node::URL,
    &node::UTIL,
];

impl Module {
    /// What a module has that says nothing else: it grants nothing, bounds nothing, and is always available.
    pub(crate) const BASE: Module = Module {
        name: "",
        version: "0.1.0",
        docs: "",
        interface: None,
        before: &[],
        facade: None,
        grant_schema: NO_GRANT_SCHEMA,
        check_grant: grant_of::<NoGrant>,
        limits: &[],
        parts: &[],
        globals: &[],
        unavailable: always,
    };

    /// Checks a template's `config` for this module; the text says what is wrong.
    pub fn check_grant(&self, config: &str) -> Result<(), String> {
        let (_, own) = split_grant(config)?;
        (self.check_grant)(&own).map_err(with_audit)
    }

    /// TypeScript declarations of what `require` answers.
    pub fn dts(&self) -> String {
        crate::typescript::declarations(self)
    }

    /// Its functions, as the declarations say.
    pub fn functions(&self) -> Vec<crate::FunctionFacts> {
        crate::typescript::functions(&self.dts())
    }

    pub(crate) fn link(&'static self, linker: &mut Linker<Host>, slot: usize) -> wasmtime::Result<()> {
        for (name, link) in self.versions() {
            link(&mut Linking { instance: linker.instance(name)?, module: self, slot })?;
        }
        Ok(())
    }

    /// Names of the interfaces that it links: its own, and those of before.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = &'static str> {
        self.versions().map(|(name, _)| name)
    }

    fn versions(&self) -> impl Iterator<Item = (&'static str, Link)> + use<> {
        let now = self.interface.as_ref().map(|interface| (interface.name, interface.link));
        now.into_iter().chain(self.before.iter().copied())
    }
}

/// What of a grant is the host's, and the rest, which is the module's.
pub(crate) fn split_grant(config: &str) -> Result<(bool, String), String> {
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(config).map_err(|error| error.to_string())?;
    let audit = match fields.remove("audit") {
        None => false,
        Some(serde_json::Value::Bool(audit)) => audit,
        Some(other) => return Err(format!("audit: {other} is no boolean")),
    };
    Ok((audit, serde_json::Value::Object(fields).to_string()))
}

/// Reads a grant, without `audit`, as a module's type. An error begins with the field that is wrong.
pub(crate) fn read_grant<G: DeserializeOwned>(config: &str) -> Result<G, String> {
    // By way of a value: a text's errors tell lines and columns, which nobody sees.
    let value: serde_json::Value = serde_json::from_str(config).map_err(|error| error.to_string())?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().clone();
        let inside = path.iter().len() > 1;
        let why = error.into_inner().to_string();
        // An unknown field is named already.
        if why.starts_with(UNKNOWN) && !inside { why } else { format!("{path}: {why}") }
    })
}

/// How serde begins where a field is none of a grant's.
const UNKNOWN: &str = "unknown field `";

/// Adds `audit` to the fields that would be expected: every grant may have it, and no module sees it.
fn with_audit(why: String) -> String {
    if !why.starts_with(UNKNOWN) {
        return why;
    }
    if let Some((field, _)) = why.rsplit_once(", there are no fields") {
        return format!("{field}, expected `audit`");
    }
    match why.rsplit_once(", expected ") {
        Some((_, expected)) if expected.starts_with("one of ") => format!("{why}, `audit`"),
        Some((field, expected)) => match expected.split_once(" or ") {
            Some((first, second)) => format!("{field}, expected one of {first}, {second}, `audit`"),
            None => format!("{why} or `audit`"),
        },
        None => why,
    }
}

/// For [`Module`]'s `check_grant`: the grant is a `G`.
pub(crate) fn grant_of<G: DeserializeOwned>(config: &str) -> Result<(), String> {
    read_grant::<G>(config).map(drop)
}

/// For [`Module`]'s `check_grant`: there is nothing to grant.
#[derive(serde::Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoGrant {}

/// For [`Module`]'s `unavailable`: nothing of it depends on the operator.
pub(crate) fn always(_: &Policy) -> Option<String> {
    None
}

/// The schema of [`NoGrant`].
pub(crate) const NO_GRANT_SCHEMA: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

/// What a module keeps in a session: made from its grant when it is first asked for, dropped with the session.
pub(crate) trait State: Send + Sized + 'static {
    /// The module whose grant it is made from.
    const MODULE: &'static str;
    /// What its part of a snapshot is called. A module with several types gives each its own.
    const KEY: &'static str = Self::MODULE;
    /// What a template's entry may say; `{}` must do.
    type Grant: DeserializeOwned;
    /// Made from what was granted and what the session has.
    fn open(grant: Self::Grant, host: &Host) -> Result<Self, Failure>;
    /// A run has ended, however it did: what must not outlive it is undone here.
    fn run_ended(&mut self) {}
    /// A run was stopped, by a limit or by whoever cancelled it: nothing that it left half done goes on.
    fn stopped(&mut self) {}
    /// Why the session can't be put away and be brought back without a script's noticing, if it can't.
    fn pins(&self) -> Option<&'static str> {
        None
    }
    /// What is needed to make it again, for a heap that is put into another instance; None: nothing. It is asked whether
    /// it pins or not, since a process may be killed at any time: then it says what is lost, so that [`State::restore`]'s
    /// side can tell the script. It must not wait for work that is under way.
    fn save(&self) -> Option<serde_json::Value> {
        None
    }
    /// Makes it what it was, right after `open`. Nothing is opened or read yet: what is gone meanwhile is an error where it
    /// is used. The data is ours and was sealed, but its sizes are checked like anybody's.
    fn restore(&mut self, saved: serde_json::Value) -> Result<(), Failure> {
        drop(saved);
        Ok(())
    }
}

/// Reads what [`State::save`] has written.
pub(crate) fn read_saved<T: DeserializeOwned>(module: &str, saved: serde_json::Value) -> Answer<T> {
    serde_json::from_value(saved).map_err(|error| {
        tracing::error!(module, %error, "what a snapshot has of a module can't be read");
        unusable(module)
    })
}

/// What was saved of a module can't be.
pub(crate) fn unusable(module: &str) -> Failure {
    Failure::new("INTERNAL", format!("what module '{module}' kept in this session can't be brought back"))
}

/// What a call fails with whose other half was lost when the session's process ended.
pub(crate) fn interrupted(what: &str) -> Failure {
    Failure::new("INTERRUPTED", format!("{what} was interrupted: the session went on from a snapshot"))
}

/// What a session keeps of its modules, whatever the type.
pub(crate) trait Kept: Any + Send {
    fn run_ended(&mut self);
    fn stopped(&mut self);
    fn pins(&self) -> Option<&'static str>;
    fn key(&self) -> &'static str;
    fn save(&self) -> Option<serde_json::Value>;
}

impl<S: State> Kept for S {
    fn run_ended(&mut self) {
        State::run_ended(self);
    }

    fn stopped(&mut self) {
        State::stopped(self);
    }

    fn pins(&self) -> Option<&'static str> {
        State::pins(self)
    }

    fn key(&self) -> &'static str {
        S::KEY
    }

    fn save(&self) -> Option<serde_json::Value> {
        State::save(self)
    }
}

/// Why a host call fails: an Error in JavaScript with this `code` and `message`, as in Node.
///
/// In WIT it is `record error { code: string, message: string }`, in each package its own.
#[derive(ComponentType, Lower, Lift, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What a host call that may fail answers.
pub(crate) type Answer<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Failure {
        Failure { code: code.to_owned(), message: message.into() }
    }

    /// The template's grant does not say so. `field`: what of the grant would have to.
    pub(crate) fn not_granted(module: &str, field: &str, what: impl std::fmt::Display) -> Failure {
        Failure::new(
            "NOT_GRANTED",
            format!("{what}: not granted; `{field}` of module '{module}' in the template would have to"),
        )
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Refuses a session whose grants fit no more: they are checked when they are stored, and may be older than this build.
pub(crate) fn check(grants: &[model::Grant]) -> Result<(), Error> {
    for grant in grants.iter().filter(|grant| grant.config.get() != "{}") {
        let Some(module) = ALL.iter().find(|module| module.name == grant.name.as_str()) else { continue };
        module.check_grant(grant.config.get()).map_err(|why| Error::Grant { module: module.name.to_owned(), why })?;
    }
    Ok(())
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({} {})", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_grant_names_the_field() {
        let why = |module: &str, config: &str| {
            let module = ALL.iter().find(|known| known.name == module).unwrap();
            module.check_grant(config).unwrap_err()
        };
        for (module, config, expected) in [
            ("kv", r#"{"access":1}"#, "access: invalid type: integer `1`"),
            ("kv", r#"{"access":"rw"}"#, "access: unknown variant `rw`, expected `read-write` or `read-only`"),
            ("kv", r#"{"quota_kb":"1"}"#, "quota_kb: invalid type: string \"1\", expected u32"),
            ("kv", r#"{"quota_kb":-1,"audit":true}"#, "quota_kb: invalid value: integer `-1`"),
            ("fs", r#"{"access":1}"#, "access: invalid type"),
            ("fetch", r#"{"origins":[1]}"#, "origins[0]: invalid type"),
            (
                "kv",
                r#"{"acces":1}"#,
                "unknown field `acces`, expected one of `namespace`, `access`, `quota_kb`, `audit`",
            ),
            ("env", r#"{"value":1}"#, "unknown field `value`, expected one of `values`, `names`, `audit`"),
            ("os", r#"{"x":1}"#, "unknown field `x`, expected `audit`"),
            ("os", r#"{"audit":1}"#, "audit: 1 is no boolean"),
        ] {
            let why = why(module, config);
            assert!(why.starts_with(expected), "{module} {config}: {why}");
        }
        assert_eq!(
            with_audit("unknown field `x`, expected `a`".to_owned()),
            "unknown field `x`, expected `a` or `audit`"
        );
    }
}
