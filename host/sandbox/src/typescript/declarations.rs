//! What JavaScript is told of a module beyond its imports, derived from its WIT so that it can't drift: TypeScript
//! declarations, and the names of parameters for errors.
use std::collections::BTreeSet;
use std::fmt::Write;

use heck::{ToLowerCamelCase, ToUpperCamelCase};
use wit_parser::{Function, Resolve, Type, TypeDefKind, TypeId};

use crate::image::LibraryFacts;
use crate::modules::{Interface, Module};

/// Of every session's globals beyond the language's own.
const GLOBALS: &str = include_str!("../../js/types/globals.d.ts");

/// Which of them settings can take away.
const CONSOLE: &str = "declare var console: Console;\n";

/// The declarations of what `require(module.name)` answers.
pub(crate) fn declarations(module: &Module) -> String {
    let mut out = format!("/** {} */\n", module.docs.replace("*/", "* /"));
    for (name, body) in bodies(module) {
        block(&mut out, name, &body);
    }
    out
}

/// What can be required of a module, each with the inside of its `declare module`: itself, and its parts.
fn bodies(module: &Module) -> Vec<(&'static str, String)> {
    let name = module.name;
    let types = module.facade.as_ref().map_or("", |facade| facade.types);
    let body = match (&module.facade, &module.interface) {
        (Some(_), _) => own_part(types).to_owned(),
        // Our own WIT, compiled in; a test declares every module, so an error here can't reach a user.
        (None, Some(interface)) => of_interface(interface).unwrap_or_else(|error| format!("// {error:#}\n")),
        (None, None) => String::new(),
    };
    let parts = module.parts.iter().map(|(part, export)| match types.split_once(&part_mark(part)) {
        Some((_, types)) => (*part, own_part(types).to_owned()),
        None => (*part, format!("import {{ {export} }} from \"{name}\";\nexport = {export};\n")),
    });
    [(name, body)].into_iter().chain(parts).collect()
}

/// A module under its name, and under the one with `node:`.
fn block(out: &mut String, name: &str, body: &str) {
    // `export *` leaves a default out, and is refused of what has `export =`.
    let node = match exports(body, "=") {
        true => body.to_owned(),
        false if exports(body, "default") => {
            format!("export * from \"{name}\";\nexport {{ default }} from \"{name}\";\n")
        }
        false => format!("export * from \"{name}\";\n"),
    };
    for (scheme, body) in [("", body), ("node:", &node)] {
        out.push_str(&format!("declare module \"{scheme}{name}\" {{\n"));
        for line in body.lines() {
            out.push_str(if line.is_empty() { "" } else { "  " });
            out.push_str(line);
            out.push('\n');
        }
        out.push_str("}\n");
    }
}

/// Whether one of the declarations begins so.
fn exports(body: &str, what: &str) -> bool {
    let start = format!("export {what} ");
    body.lines().any(|line| line.starts_with(&start))
}

/// In hand-written declarations: what follows is those of a part.
fn part_mark(part: &str) -> String {
    format!("\n// part: {part}\n")
}

/// The declarations up to those of the next part.
fn own_part(types: &str) -> &str {
    types.split("\n// part: ").next().unwrap_or_default()
}

/// One function of a module, as its declarations say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Its name.
    pub name: String,
    /// Its type: `(path: string): boolean`.
    pub signature: String,
    /// Its documentation; empty where there is none.
    pub docs: String,
}

/// The functions that a module's declarations export.
pub(crate) fn functions(declarations: &str) -> Vec<FunctionFacts> {
    let (mut found, mut docs) = (Vec::new(), Vec::<&str>::new());
    let (mut in_docs, mut own) = (false, true);
    let mut lines = declarations.lines().map(str::trim);
    while let Some(line) = lines.next() {
        // The second block only says that `node:NAME` is the same.
        own &= !line.starts_with("declare module \"node:");
        if in_docs || line.starts_with("/**") {
            if !in_docs {
                docs.clear();
            }
            in_docs = !line.ends_with("*/");
            docs.push(line.trim_start_matches("/**").trim_end_matches("*/").trim_start_matches('*').trim());
            continue;
        }
        let function = line.strip_prefix("export function ").or_else(|| line.strip_prefix("export async function "));
        if let Some(function) = function.filter(|_| own) {
            let mut function = function.to_owned();
            while !function.ends_with(';')
                && let Some(more) = lines.next()
            {
                continue_signature(&mut function, more);
            }
            let at = function.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(function.len());
            let (name, signature) = function.split_at(at);
            found.push(FunctionFacts {
                name: name.to_owned(),
                signature: signature.trim_end_matches(';').to_owned(),
                docs: docs.join("\n").trim().to_owned(),
            });
        }
        docs.clear();
    }
    found
}

/// Adds the next line of a signature, as it would stand on one.
fn continue_signature(signature: &mut String, more: &str) {
    if more.starts_with(')') && signature.ends_with(',') {
        signature.pop();
    }
    if !more.starts_with(')') && !signature.ends_with('(') {
        signature.push(' ');
    }
    signature.push_str(more);
}

/// What a session sees beyond the language.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Native modules.
    pub modules: &'a [&'a Module],
    /// What its image's libraries brought.
    pub libraries: &'a [LibraryFacts],
    /// Whether there is a `console`.
    pub console: bool,
}

/// What editors are told of a session: the globals, each module under both of its names, and libraries without their types,
/// which nobody knows.
pub fn declarations_for(seen: Seen<'_>) -> String {
    let Seen { modules, libraries, console } = seen;
    let mut out = String::from(
        "// What sessions of this template see. For `tsc` and editors: \"lib\": [\"es2024\"], \"types\": [].\n\n",
    );
    match console {
        true => out.push_str(GLOBALS),
        false => out.push_str(&GLOBALS.replace(CONSOLE, "")),
    }
    if modules.is_empty() && libraries.is_empty() {
        out.push_str("/** This template lists no modules. */\ndeclare function require(name: never): never;\n");
    }
    let mut required = BTreeSet::new();
    for module in modules {
        let bodies = bodies(module);
        for (name, body) in &bodies {
            required.insert((*name).to_owned());
            let default = if exports(body, "default") { ".default" } else { "" };
            let answer = format!("typeof import(\"{name}\"){default}");
            out.push_str(&format!("declare function require(name: \"{name}\" | \"node:{name}\"): {answer};\n"));
        }
        let (name, body) = &bodies[0];
        for (global, export) in module.globals {
            out.push_str(&format!("declare var {global}: typeof import(\"{name}\").{export};\n"));
            // A type that every session has, whose value is the module's.
            let known = GLOBALS.contains(&format!("interface {global} "));
            if !known && ["class", "interface", "type"].iter().any(|kind| exports(body, &format!("{kind} {export}"))) {
                out.push_str(&format!("type {global} = import(\"{name}\").{export};\n"));
            }
        }
    }
    for library in libraries {
        add_library(&mut out, library, &mut required);
    }
    for module in modules {
        out.push('\n');
        out.push_str(&declarations(module));
    }
    out
}

/// `required`: what `require` answers already; a native module goes before a library of its name.
fn add_library(out: &mut String, library: &LibraryFacts, required: &mut BTreeSet<String>) {
    let about = format!("/** Of the library {}. */", library.name.replace("*/", "* /"));
    for name in library.names.iter().filter(|name| required.insert((*name).clone())) {
        out.push_str(&format!("{about}\ndeclare function require(name: {name:?}): any;\ndeclare module {name:?};\n"));
    }
    for name in library.globals.iter().filter(|name| is_variable(name)) {
        if !is_declared(out, name) {
            out.push_str(&format!("{about}\ndeclare var {name}: any;\n"));
        }
    }
}

/// Whether scripts can name a property of the global object just so.
fn is_variable(name: &str) -> bool {
    const WORDS: &str = " await break case catch class const continue debugger default delete do else enum export extends false \
                         finally for function if import in instanceof new null return super switch this throw true try typeof \
                         var void while with yield let static ";
    let of_names = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    name.chars().all(of_names)
        && name.chars().next().is_some_and(|c| !c.is_ascii_digit())
        && !WORDS.contains(&format!(" {name} "))
}

/// Whether there is a value of that name: a second declaration of it would have to be of the same type.
fn is_declared(declarations: &str, name: &str) -> bool {
    let kinds = ["declare var ", "declare const ", "declare function ", "declare class "];
    declarations.lines().filter_map(|line| kinds.iter().find_map(|kind| line.strip_prefix(kind))).any(|rest| {
        rest.strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$'))
    })
}

/// The names of each function's parameters, as a JavaScript object without a prototype.
pub(crate) fn parameters(interface: &Interface) -> wasmtime::Result<String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("module.wit", interface.wit).map_err(wasmtime::Error::from_anyhow)?;
    let mut out = String::from("{ __proto__: null");
    for (_, id) in &resolve.packages[package].interfaces {
        for (name, function) in &resolve.interfaces[*id].functions {
            let names = function.params.iter().map(|p| format!("{:?}", p.name.to_lower_camel_case()));
            write!(out, ", {}: [{}]", name.to_lower_camel_case(), names.collect::<Vec<_>>().join(", "))?;
        }
    }
    out.push_str(" }");
    Ok(out)
}

fn of_interface(interface: &Interface) -> wasmtime::Result<String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("module.wit", interface.wit).map_err(wasmtime::Error::from_anyhow)?;
    let mut out = String::new();
    for (_, id) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[*id];
        for (name, id) in &interface.types {
            doc(&mut out, resolve.types[*id].docs.contents.as_deref())?;
            writeln!(out, "export type {} = {};", name.to_upper_camel_case(), definition(&resolve, *id))?;
        }
        for (name, function) in &interface.functions {
            doc(&mut out, function.docs.contents.as_deref())?;
            writeln!(out, "export function {}{};", name.to_lower_camel_case(), signature(&resolve, function))?;
        }
    }
    Ok(out)
}

fn doc(out: &mut String, text: Option<&str>) -> std::fmt::Result {
    match text {
        Some(text) => writeln!(out, "/** {} */", text.replace("*/", "* /").replace('\n', "\n * ")),
        None => Ok(()),
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let params = function.params.iter().map(|p| format!("{}: {}", p.name.to_lower_camel_case(), ty(resolve, &p.ty)));
    let result = match &function.result {
        None => "void".to_owned(),
        // At the top level an error is thrown.
        Some(Type::Id(id)) => match &resolve.types[*id].kind {
            TypeDefKind::Result(result) => result.ok.map_or("void".to_owned(), |ok| ty(resolve, &ok)),
            _ => ty(resolve, &Type::Id(*id)),
        },
        Some(other) => ty(resolve, other),
    };
    let result = if function.kind.is_async() { format!("Promise<{result}>") } else { result };
    format!("({}): {result}", params.collect::<Vec<_>>().join(", "))
}

fn ty(resolve: &Resolve, given: &Type) -> String {
    match given {
        Type::Bool => "boolean".to_owned(),
        Type::S64 | Type::U64 => "bigint".to_owned(),
        Type::Char | Type::String => "string".to_owned(),
        Type::Id(id) => match &resolve.types[*id].name {
            Some(name) => name.to_upper_camel_case(),
            None => definition(resolve, *id),
        },
        Type::ErrorContext => "unknown".to_owned(),
        _ => "number".to_owned(),
    }
}

fn definition(resolve: &Resolve, id: TypeId) -> String {
    let payload = |t: &Option<Type>| t.as_ref().map(|t| format!(", val: {}", ty(resolve, t))).unwrap_or_default();
    match &resolve.types[id].kind {
        TypeDefKind::Record(record) => {
            let fields =
                record.fields.iter().map(|f| format!("{}: {}", f.name.to_lower_camel_case(), ty(resolve, &f.ty)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join("; "))
        }
        TypeDefKind::Flags(flags) => {
            let names = flags.flags.iter().map(|f| format!("{}?: boolean", f.name.to_lower_camel_case()));
            format!("{{ {} }}", names.collect::<Vec<_>>().join("; "))
        }
        TypeDefKind::Tuple(tuple) => {
            format!("[{}]", tuple.types.iter().map(|t| ty(resolve, t)).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|c| format!("{{ tag: \"{}\"{} }}", c.name, payload(&c.ty)));
            cases.collect::<Vec<_>>().join(" | ")
        }
        TypeDefKind::Enum(names) => {
            names.cases.iter().map(|c| format!("\"{}\"", c.name)).collect::<Vec<_>>().join(" | ")
        }
        TypeDefKind::Option(inner) => format!("{} | null | undefined", ty(resolve, inner)),
        TypeDefKind::Result(result) => {
            format!("{{ tag: \"ok\"{} }} | {{ tag: \"err\"{} }}", payload(&result.ok), payload(&result.err))
        }
        TypeDefKind::List(Type::U8) => "Uint8Array".to_owned(),
        TypeDefKind::List(inner) => format!("Array<{}>", ty(resolve, inner)),
        TypeDefKind::Type(alias) => ty(resolve, alias),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::ALL;

    #[test]
    fn every_module_declares_itself() {
        for module in ALL {
            let dts = module.dts();
            assert!(dts.contains(&format!("declare module \"{}\"", module.name)), "{dts}");
            assert!(dts.contains("export "), "{dts}");
        }
    }
    #[test]
    fn signatures_are_whole() {
        let told = "export function a(x: string): void;\nexport function b(\n  x: { y: number; z: 1 },\n  more?: string,\n): void;\n";
        let found: Vec<_> = functions(told).into_iter().map(|found| found.name + &found.signature).collect();
        assert_eq!(found, ["a(x: string): void", "b(x: { y: number; z: 1 }, more?: string): void"]);
        for module in ALL {
            for FunctionFacts { name, signature, .. } in module.functions() {
                let count = |c: char| signature.matches(c).count();
                assert!(count('(') > 0 && count('(') == count(')') && count('{') == count('}'), "{name}{signature}");
                assert!(!signature.contains('\n') && signature.contains(':'), "{name}{signature}");
            }
        }
    }

    #[test]
    fn libraries_are_declared_once_and_only_by_names_that_scripts_can_write() {
        let library = |name: &str, globals: &[&str]| LibraryFacts {
            name: name.to_owned(),
            format: crate::image::Format::Script,
            names: vec![name.to_owned(), "os".to_owned()],
            globals: globals.iter().map(|&name| name.to_owned()).collect(),
            exports: Vec::new(),
            empty: false,
        };
        let libraries = [library("a-1", &["_", "class", "no-name", "URL", "$2", "consoles"]), library("b", &["_"])];
        let modules: Vec<&Module> = ALL.iter().copied().filter(|module| module.name == "os").collect();
        let told = declarations_for(Seen { modules: &modules, libraries: &libraries, console: false });
        let count = |text: &str| told.matches(text).count();
        let declared =
            ["declare var _: any", "declare var $2: any", "declare var consoles: any", "declare module \"a-1\";"];
        assert_eq!(declared.map(count), [1; 4], "{told}");
        let not =
            [": any;\ndeclare module \"os\";", "var class", "no-name", "declare var URL: any", "declare var console:"];
        assert_eq!(not.map(count), [0; 5], "{told}");
        assert!(GLOBALS.contains(CONSOLE));
    }
}
