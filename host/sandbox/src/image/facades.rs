//! The JavaScript side of modules while an image is built: facades are ES modules that import each other and, as
//! `host:NAME`, the functions of their interface.
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::modules::{self, Module, node};

pub(super) const PRELUDE: &str = include_str!("prelude.js");
/// Removes what only facades use.
pub(super) const FINISH: &str = "delete globalThis.__facades; delete globalThis.__web";

/// Names that facades are known by in an image. Its engine keeps them, so they are none that a script means by chance.
const OWN: &str = "[vm]";

/// The script that makes `require`.
pub(super) fn prelude(modules: &[&'static Module]) -> wasmtime::Result<String> {
    let mut parameters = String::from("{ __proto__: null");
    for interface in modules.iter().filter_map(|module| module.interface.as_ref()) {
        let names = crate::typescript::parameters(interface)?;
        parameters.push_str(&format!(", {:?}: {names}", interface.name));
    }
    parameters.push_str(" }");
    Ok(PRELUDE.replace("PARAMETERS", &parameters))
}

/// The ES module that loads one facade.
pub(super) fn load(module: &Module) -> String {
    let object = |pairs: &[(&str, &str)]| serde_json::json!(pairs.iter().copied().collect::<BTreeMap<_, _>>());
    let (parts, globals) = (object(module.parts), object(module.globals));
    format!("import * as all from \"{OWN}node:{0}\"; __facades.add({0:?}, all, {parts}, {globals});", module.name)
}

/// Everything that a facade may import: the functions of the listed modules, and every facade.
pub(super) fn sources(listed: &[&'static Module]) -> wasmtime::Result<BTreeMap<String, Arc<str>>> {
    let mut sources = BTreeMap::new();
    for module in modules::ALL.iter().chain(listed) {
        sources.insert(format!("{OWN}node:{}", module.name), source(module).into());
        for (name, export) in module.parts {
            let source =
                format!("import {{ {export} as part }} from \"{OWN}node:{}\"; export default part;", module.name);
            sources.insert(format!("{OWN}node:{name}"), source.into());
        }
    }
    for (name, text) in node::INNER {
        sources.insert(format!("{OWN}node:{name}"), own(text).into());
    }
    for module in listed {
        if let Some(interface) = &module.interface {
            let source = format!("export default Object.freeze(__facades.imports[{:?}]);", interface.name);
            sources.insert(format!("{OWN}host:{}", module.name), source.into());
        }
    }
    Ok(sources)
}

/// A facade as it is evaluated.
pub(super) fn source(module: &Module) -> String {
    let Some(facade) = &module.facade else {
        return format!("export {{ default }} from \"{OWN}host:{}\";", module.name);
    };
    own(facade.source)
}

/// A source with the names that facades are known by in an image.
fn own(source: &str) -> String {
    let own = |quote: char, scheme: &str| (format!("{quote}{scheme}:"), format!("{quote}{OWN}{scheme}:"));
    let mut source = source.to_owned();
    // Bundles leave blanks out.
    for from in ["from ", "import ", "from", "import"] {
        for (plain, named) in [own('"', "node"), own('"', "host"), own('\'', "node"), own('\'', "host")] {
            source = source.replace(&format!("{from}{plain}"), &format!("{from}{named}"));
        }
    }
    source
}
