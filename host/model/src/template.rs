//! Templates: what a session made from one holds.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::words::words;
use crate::{
    CapabilityId, Durability, LibraryName, Limits, LimitsError, ModuleName, StartupFileId, TemplateId, Timestamp,
};

/// A template as the contract shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Template {
    /// Its id; older objects of the contract call it `vm_id`.
    pub id: TemplateId,
    /// Unique among the tenant's templates.
    pub name: String,
    /// The engine, as the client spelt it.
    pub engine: String,
    /// Whether new sessions may be made from it.
    pub is_active: bool,
    /// The native modules that sessions of it may `require`, in the order they were added. The only list of grants.
    pub exposed_modules: Vec<ModuleName>,
    /// The libraries that are evaluated before the session starts, in order.
    pub libraries: Vec<LibraryName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// An entry of the modules list: a module and what it may do in sessions of the template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// The module.
    pub name: ModuleName,
    /// Its grant, of the shape that the module declares; `{}` is the module's default.
    #[schemars(with = "serde_json::Value")]
    pub config: Box<RawValue>,
}

words! {
    /// How a startup file is evaluated.
    StartupMode {
        /// As a script in the global scope.
        Eval = "eval",
        /// As an ES module.
        Module = "module",
    }
}

/// A file of the worktree that runs when a session starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StartupFile {
    /// Its id.
    pub id: StartupFileId,
    /// Its template.
    pub vm_id: TemplateId,
    /// Beneath the worktree, cleaned; unique in the template.
    pub path: String,
    /// Files run in this order; those of one index in the order they were added.
    pub order_index: i64,
    /// How it is evaluated.
    pub mode: StartupMode,
}

words! {
    /// What a capability speaks of.
    CapabilityKind {
        /// A module.
        Module = "module",
        /// A global.
        Global = "global",
        /// Files.
        Fs = "fs",
        /// The network.
        Net = "net",
        /// The environment.
        Env = "env",
    }
}

/// A label that old clients keep with a template. It grants nothing: the modules list is the only list of grants.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Capability {
    /// Its id.
    pub id: CapabilityId,
    /// Its template.
    pub vm_id: TemplateId,
    /// With `name` unique in the template.
    pub kind: CapabilityKind,
    /// Any name.
    pub name: String,
    /// As the client wants it shown.
    pub enabled: bool,
    /// JSON, handed back as it is.
    #[schemars(with = "serde_json::Value")]
    pub config: Box<RawValue>,
}

/// The engine that runs everything, and the default.
pub const ENGINE_QUICKJS: &str = "quickjs";
/// The name of the ancestor's engine, accepted for its clients.
pub const ENGINE_GOJA: &str = "goja";

/// Whether templates may name this engine.
pub fn engine_is_supported(engine: &str) -> bool {
    engine == ENGINE_QUICKJS || engine == ENGINE_GOJA
}

/// Settings of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What each execution may use.
    pub limits: Limits,
    /// How `import` finds files.
    pub resolver: Resolver,
    /// Switches of the run time.
    pub runtime: Runtime,
}

/// A setting that this build does not hold to, or that an operator's ceiling forbids. The text begins with the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A limit is out of its range.
    #[error("limits.{0}")]
    Limits(#[from] LimitsError),
    /// Another field.
    #[error("{field} {must}")]
    Field {
        /// As it is spelt in JSON, with dots.
        field: &'static str,
        /// What it must be.
        must: &'static str,
    },
}

impl Settings {
    /// Checks every field against what can be held to, and the limits against `ceiling`.
    pub fn check(&self, ceiling: &Limits) -> Result<(), SettingsError> {
        self.limits.check(ceiling)?;
        let error = |field, must| Err(SettingsError::Field { field, must });
        let Resolver { roots, extensions, .. } = &self.resolver;
        if roots.is_empty() || roots.len() > Resolver::LEN_MAX {
            return error("resolver.roots", "must have 1 to 16 entries");
        }
        if !roots.iter().all(|root| is_beneath(root)) {
            return error("resolver.roots", "must be directories beneath the worktree: relative, without '..'");
        }
        if extensions.len() > Resolver::LEN_MAX {
            return error("resolver.extensions", "must have at most 16 entries");
        }
        let is_extension = |text: &String| {
            text.len() <= 16
                && text.starts_with('.')
                && text[1..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        };
        if !extensions.iter().all(is_extension) {
            return error("resolver.extensions", "must each be a dot and up to 15 letters, digits or dots");
        }
        if !self.runtime.strict {
            return error(
                "runtime.strict",
                "can only be true: ES modules are strict and scripts are sloppy, as the language says",
            );
        }
        Ok(())
    }
}

/// Relative, and without a component that leads upwards.
fn is_beneath(path: &str) -> bool {
    let parts = || path.split('/');
    !path.is_empty()
        && path.len() <= 1_024
        && !path.contains('\0')
        && !path.starts_with('/')
        && parts().all(|p| p != "..")
}

/// How `import` finds files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resolver {
    /// Directories beneath the worktree, in the order they are tried.
    pub roots: Vec<String>,
    /// Extensions, in the order they are tried.
    pub extensions: Vec<String>,
    /// Whether `/x` means `x` in the worktree.
    pub allow_absolute_repo_imports: bool,
}

impl Resolver {
    /// Entries of each list.
    pub const LEN_MAX: usize = 16;
}

impl Default for Resolver {
    fn default() -> Self {
        Resolver {
            roots: vec![".".into()],
            extensions: vec![".js".into(), ".mjs".into()],
            allow_absolute_repo_imports: true,
        }
    }
}

/// Switches of the run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// ES modules can be imported.
    pub esm: bool,
    /// Modules are strict (scripts are sloppy, whatever this says).
    pub strict: bool,
    /// There is a `console`.
    pub console: bool,
    /// Timers and host calls that an execution left go on between executions, and not only during them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
    /// What of a session's heap outlives the server.
    #[serde(skip_serializing_if = "is_every")]
    pub durability: Durability,
}

fn is_every(durability: &Durability) -> bool {
    *durability == Durability::Every
}

impl Default for Runtime {
    fn default() -> Self {
        Runtime { esm: true, strict: true, console: true, background: false, durability: Durability::Every }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_contracts() {
        let json = serde_json::to_string(&Settings::default()).unwrap();
        assert_eq!(
            json,
            r#"{"limits":{"cpu_ms":2000,"wall_ms":5000,"mem_mb":128,"max_events":50000,"max_output_kb":256},"#
                .to_owned()
                + r#""resolver":{"roots":["."],"extensions":[".js",".mjs"],"allow_absolute_repo_imports":true},"#
                + r#""runtime":{"esm":true,"strict":true,"console":true}}"#
        );
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        let fleeting = serde_json::from_str::<Settings>(r#"{"runtime":{"durability":"none"}}"#).unwrap();
        assert_eq!(fleeting.runtime.durability, Durability::None);
        assert!(serde_json::to_string(&fleeting).unwrap().ends_with(r#""console":true,"durability":"none"}}"#));
        assert!(serde_json::from_str::<Settings>(r#"{"runtime":{"durability":"always"}}"#).is_err());
        assert!(serde_json::from_str::<Settings>(r#"{"limit":{}}"#).is_err());
    }

    #[test]
    fn what_is_not_enforced_is_not_accepted() {
        let checked = |json: &str| serde_json::from_str::<Settings>(json).unwrap().check(&Limits::MAX);
        for good in [
            "{}",
            r#"{"resolver":{"roots":["src","a/b"],"extensions":[],"allow_absolute_repo_imports":false}}"#,
            r#"{"runtime":{"esm":false,"console":false,"background":true}}"#,
        ] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
        for (bad, field) in [
            (r#"{"limits":{"cpu_ms":0}}"#, "limits.cpu_ms"),
            (r#"{"resolver":{"roots":[]}}"#, "resolver.roots"),
            (r#"{"resolver":{"roots":["/etc"]}}"#, "resolver.roots"),
            (r#"{"resolver":{"roots":["a/../../b"]}}"#, "resolver.roots"),
            (r#"{"resolver":{"extensions":["js"]}}"#, "resolver.extensions"),
            (r#"{"resolver":{"extensions":["./x"]}}"#, "resolver.extensions"),
            (r#"{"runtime":{"strict":false}}"#, "runtime.strict"),
        ] {
            let error = checked(bad).unwrap_err().to_string();
            assert!(error.starts_with(field), "{bad}: {error}");
        }
    }
}
