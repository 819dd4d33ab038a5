//! Templates: what a session made from one holds.
use serde::{Deserialize, Serialize};

use crate::{LibraryName, Limits, ModuleName, TemplateId, Timestamp};

/// A template as the contract shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// The engine that runs everything, and the default.
pub const ENGINE_QUICKJS: &str = "quickjs";
/// The name of the ancestor's engine, accepted for its clients.
pub const ENGINE_GOJA: &str = "goja";

/// Whether templates may name this engine.
pub fn engine_is_supported(engine: &str) -> bool {
    engine == ENGINE_QUICKJS || engine == ENGINE_GOJA
}

/// Settings of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What each execution may use.
    pub limits: Limits,
    /// How `import` finds files.
    pub resolver: Resolver,
    /// Switches of the run time.
    pub runtime: Runtime,
}

/// How `import` finds files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resolver {
    /// Directories beneath the worktree, in the order they are tried.
    pub roots: Vec<String>,
    /// Extensions, in the order they are tried.
    pub extensions: Vec<String>,
    /// Whether `/x` means `x` in the worktree.
    pub allow_absolute_repo_imports: bool,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// ES modules can be imported.
    pub esm: bool,
    /// Modules are strict (scripts are sloppy, whatever this says).
    pub strict: bool,
    /// There is a `console`.
    pub console: bool,
}

impl Default for Runtime {
    fn default() -> Self {
        Runtime { esm: true, strict: true, console: true }
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
        assert!(serde_json::from_str::<Settings>(r#"{"limit":{}}"#).is_err());
    }
}
