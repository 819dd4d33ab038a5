//! From a list of modules to one component: the world whose imports are exactly `vm:session/control` and the listed
//! interfaces, its bindings library, and the linker that joins guest, bindings and state access.
use std::borrow::Cow;

use wasmtime::error::Context as _;
use wit_component::StringEncoding;
use wit_parser::{
    Docs, Function, FunctionKind, PackageId, Param, Resolve, Result_, Span, Stability, Tuple, Type, TypeDef,
    TypeDefKind, TypeOwner, WorldId,
};

use super::fuse;
use crate::modules::{ASYNC, BOTH, Module, twin};
use crate::threads::SHADOW_STACK_BYTES;

const SESSION_WIT: &str = include_str!("../../../../wit/session/session.wit");
const GUEST: &[u8] = include_bytes!("../../../../guest/prebuilt/guest.wasm");
const ADAPTER: &str = include_str!("adapter.wat");
const STATE: &str = include_str!("state.wat");
/// Another guest than the built-in one, for the guest's own tests. Read once a process.
const GUEST_ENV: &str = "VM_SYSTEM_GUEST";

/// The guest library: the one committed under `guest/prebuilt`, unless the environment names another file.
pub(super) fn guest() -> wasmtime::Result<Cow<'static, [u8]>> {
    match std::env::var_os(GUEST_ENV) {
        Some(path) => {
            let bytes = std::fs::read(&path).with_context(|| format!("{GUEST_ENV}={}", path.display()))?;
            Ok(Cow::Owned(bytes))
        }
        None => Ok(Cow::Borrowed(GUEST)),
    }
}

/// All that an image depends on besides the recipe and the compiler, for its hash.
pub(super) fn sources() -> [&'static str; 3] {
    [SESSION_WIT, ADAPTER, STATE]
}

/// The component of a session with exactly `modules`, not yet initialised.
pub(super) fn link(guest: &[u8], modules: &[&'static Module]) -> wasmtime::Result<Vec<u8>> {
    fuse::fuse(&join(guest, modules)?).context("fusing the component")
}

/// The same as it comes from the linker: every library a module of its own.
pub(super) fn join(guest: &[u8], modules: &[&'static Module]) -> wasmtime::Result<Vec<u8>> {
    let (resolve, world) = synthesize(modules)?;
    let mut bindings = wit_dylib::create(&resolve, world, None);
    embed(&mut bindings, &resolve, world)?;

    let (session, adapter_world, state_world) = session_worlds()?;
    let mut guest = guest.to_vec();
    embed(&mut guest, &session, adapter_world)?;
    let mut adapter = assemble(ADAPTER)?;
    embed(&mut adapter, &session, adapter_world)?;
    let mut state = assemble(STATE)?;
    embed(&mut state, &session, state_world)?;

    wit_component::Linker::default()
        .validate(true)
        .stub_missing_functions(true)
        .stack_size(SHADOW_STACK_BYTES)
        .library("guest.wasm", &guest, false)
        .and_then(|linker| linker.library("bindings.wasm", &bindings, false))
        .and_then(|linker| linker.library("state.wasm", &state, false))
        .and_then(|linker| linker.adapter("wasi_snapshot_preview1", &adapter))
        .and_then(|linker| linker.encode())
        .map_err(wasmtime::Error::from_anyhow)
        .context("linking the component")
}

fn synthesize(modules: &[&'static Module]) -> wasmtime::Result<(Resolve, WorldId)> {
    world_of(modules, merge_async)
}

/// `lower` makes plain functions of a package's async ones.
fn world_of(
    modules: &[&'static Module],
    lower: fn(&mut Resolve, PackageId) -> wasmtime::Result<()>,
) -> wasmtime::Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    push(&mut resolve, "session.wit", SESSION_WIT)?;
    let mut world = String::from("package vm:template;\n\nworld session {\n");
    for interface in modules.iter().filter_map(|module| module.interface.as_ref()) {
        let package = push(&mut resolve, interface.name, interface.wit)?;
        lower(&mut resolve, package)?;
        world.push_str(&format!("  import {};\n", interface.name));
    }
    world.push_str("  export vm:session/guest@0.1.0;\n}\n");
    let package = push(&mut resolve, "template.wit", &world)?;
    let world = resolve.select_world(&[package], Some("session")).map_err(wasmtime::Error::from_anyhow)?;
    Ok((resolve, world))
}

/// Makes one plain function of each `async func x(...) -> result<T, E>`: `x-async`, or `x-both` in the place of its synchronous
/// twin, too, which is `x-sync` for `x` and `x` for `x-later`, with the same types. What starts a session costs something for each
/// import. It is given `result<tuple<bool, ...>, u32>`, whether it is to be done later and the arguments, or a ticket; and
/// answers with `result<result<T, u32>, E>`, the value or a ticket. The guest makes what JavaScript sees of that.
fn merge_async(resolve: &mut Resolve, package: PackageId) -> wasmtime::Result<()> {
    let interfaces: Vec<_> = resolve.packages[package].interfaces.values().copied().collect();
    for interface in interfaces {
        let functions = std::mem::take(&mut resolve.interfaces[interface].functions);
        let mut merged = functions.clone();
        for (name, function) in functions {
            if function.kind != FunctionKind::AsyncFreestanding {
                if [ASYNC, BOTH].iter().any(|suffix| name.ends_with(suffix)) {
                    wasmtime::bail!(
                        "{name}: names that end in {ASYNC} or {BOTH} are kept for what is made of async functions"
                    );
                }
                continue;
            }
            let answer = match function.result {
                Some(Type::Id(id)) => match &resolve.types[id].kind {
                    TypeDefKind::Result(Result_ { ok, err: Some(failure) }) => Some((*ok, *failure)),
                    _ => None,
                },
                _ => None,
            };
            let (value, failure) = answer.ok_or_else(|| {
                wasmtime::format_err!("async func {name} must answer with a result that has an error")
            })?;
            let mut types = vec![Type::Bool];
            types.extend(function.params.iter().map(|param| param.ty));
            let with = anonymous(resolve, TypeDefKind::Tuple(Tuple { types }));
            let mut result = |ok, err| anonymous(resolve, TypeDefKind::Result(Result_ { ok, err: Some(err) }));
            let (given, either) = (result(Some(with), Type::U32), result(value, Type::U32));
            let answer = result(Some(either), failure);

            let twin = merged.get(&twin(&name)).filter(|twin| are_alike(resolve, twin, &function));
            let suffix = if twin.is_some() { BOTH } else { ASYNC };
            let one = Function {
                name: format!("{name}{suffix}"),
                kind: FunctionKind::Freestanding,
                params: vec![Param { name: "given".to_owned(), ty: given, span: Span::default() }],
                result: Some(answer),
                ..function.clone()
            };
            if let Some(twin) = twin.map(|twin| twin.name.clone()) {
                merged.shift_remove(&twin);
            }
            merged.shift_remove(&name);
            merged.insert(one.name.clone(), one);
        }
        resolve.interfaces[interface].functions = merged;
    }
    Ok(())
}

fn anonymous(resolve: &mut Resolve, kind: TypeDefKind) -> Type {
    Type::Id(resolve.types.alloc(TypeDef {
        name: None,
        kind,
        owner: TypeOwner::None,
        docs: Docs::default(),
        stability: Stability::default(),
        span: Span::default(),
        external_id: None,
    }))
}

/// The same parameters and the same result.
fn are_alike(resolve: &Resolve, a: &Function, b: &Function) -> bool {
    let params = |function: &Function| function.params.iter().map(|param| Some(param.ty)).collect::<Vec<_>>();
    let all = |function: &Function| [params(function), vec![function.result]].concat();
    let (a, b) = (all(a), all(b));
    a.len() == b.len() && a.into_iter().zip(b).all(|(a, b)| is_same(resolve, a, b))
}

fn is_same(resolve: &Resolve, a: Option<Type>, b: Option<Type>) -> bool {
    let (Some(Type::Id(a)), Some(Type::Id(b))) = (a, b) else { return a == b };
    // What has no name is written out wherever it is used.
    match (&resolve.types[a].kind, &resolve.types[b].kind) {
        _ if a == b => true,
        _ if resolve.types[a].name.is_some() || resolve.types[b].name.is_some() => false,
        (TypeDefKind::Result(a), TypeDefKind::Result(b)) => {
            is_same(resolve, a.ok, b.ok) && is_same(resolve, a.err, b.err)
        }
        (TypeDefKind::Option(a), TypeDefKind::Option(b)) | (TypeDefKind::List(a), TypeDefKind::List(b)) => {
            is_same(resolve, Some(*a), Some(*b))
        }
        (TypeDefKind::Tuple(a), TypeDefKind::Tuple(b)) => {
            a.types.len() == b.types.len()
                && a.types.iter().zip(&b.types).all(|(a, b)| is_same(resolve, Some(*a), Some(*b)))
        }
        _ => false,
    }
}

fn session_worlds() -> wasmtime::Result<(Resolve, WorldId, WorldId)> {
    let mut resolve = Resolve::default();
    let package = push(&mut resolve, "session.wit", SESSION_WIT)?;
    let world = |name| resolve.select_world(&[package], Some(name)).map_err(wasmtime::Error::from_anyhow);
    let (adapter, state) = (world("adapter")?, world("state-access")?);
    Ok((resolve, adapter, state))
}

fn push(resolve: &mut Resolve, name: &str, wit: &str) -> wasmtime::Result<PackageId> {
    resolve.push_str(name, wit).map_err(wasmtime::Error::from_anyhow).with_context(|| format!("the WIT of {name}"))
}

fn embed(module: &mut Vec<u8>, resolve: &Resolve, world: WorldId) -> wasmtime::Result<()> {
    wit_component::embed_component_metadata(module, resolve, world, StringEncoding::UTF8)
        .map_err(wasmtime::Error::from_anyhow)
}

fn assemble(text: &str) -> wasmtime::Result<Vec<u8>> {
    wat::parse_str(text).map_err(|error| wasmtime::format_err!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::Interface;

    /// What is imported of an interface with these functions.
    fn imported(functions: &str) -> wasmtime::Result<Vec<String>> {
        let wit = format!("package vm:many@0.1.0; interface many {{ record error {{ code: string }} {functions} }}");
        let interface = Interface { name: "vm:many/many@0.1.0", wit: wit.leak(), link: |_| Ok(()) };
        let module = Box::leak(Box::new(Module { name: "many", interface: Some(interface), ..Module::BASE }));
        let (resolve, _) = synthesize(&[module])?;
        let (_, many) = resolve.interfaces.iter().find(|(_, found)| found.name.as_deref() == Some("many")).unwrap();
        Ok(many.functions.keys().cloned().collect())
    }

    #[test]
    fn functions_of_the_same_types_are_one_import() {
        for (sync, later) in [
            (
                "a-sync: func(b: list<u8>, c: error) -> result<option<u32>, error>",
                "a: async func(b: list<u8>, c: error) -> result<option<u32>, error>",
            ),
            (
                "a: func() -> result<tuple<u8, error>, error>",
                "a-later: async func() -> result<tuple<u8, error>, error>",
            ),
            ("a-sync: func() -> result<_, error>", "a: async func() -> result<_, error>"),
        ] {
            let name = later.split(':').next().unwrap();
            assert_eq!(imported(&format!("{sync}; {later}; z: func();")).unwrap(), ["z", &format!("{name}-both")]);
        }
        for (sync, later) in [
            ("a-sync: func(b: list<u8>) -> result<u32, error>", "a: async func(b: list<s8>) -> result<u32, error>"),
            ("a-sync: func(b: u8) -> result<u32, error>", "a: async func() -> result<u32, error>"),
            ("a-sync: func() -> u32", "a: async func() -> result<u32, error>"),
            ("a-sync: func() -> result<u32, string>", "a: async func() -> result<u32, error>"),
            ("b-sync: func() -> result<u32, error>", "a: async func() -> result<u32, error>"),
        ] {
            let name = sync.split(':').next().unwrap();
            assert_eq!(imported(&format!("{sync}; {later};")).unwrap(), [name, "a-async"], "{sync}");
        }
    }

    /// What guests of before imported of an async func: one function that begins it and one that takes its answer.
    fn split_async(resolve: &mut Resolve, package: PackageId) -> wasmtime::Result<()> {
        let interfaces: Vec<_> = resolve.packages[package].interfaces.values().copied().collect();
        for interface in interfaces {
            for (name, function) in std::mem::take(&mut resolve.interfaces[interface].functions) {
                if function.kind != FunctionKind::AsyncFreestanding {
                    resolve.interfaces[interface].functions.insert(name, function);
                    continue;
                }
                let plain = Function { kind: FunctionKind::Freestanding, ..function };
                let Some(Type::Id(answer)) = plain.result else { panic!("{name} answers with no result") };
                let TypeDefKind::Result(answer) = resolve.types[answer].kind.clone() else {
                    panic!("{name}: no result")
                };
                let begun = anonymous(resolve, TypeDefKind::Result(Result_ { ok: Some(Type::U32), ..answer }));
                let ticket = Param { name: "ticket".to_owned(), ty: Type::U32, span: Span::default() };
                for one in [
                    Function { name: format!("{name}-start"), result: Some(begun), ..plain.clone() },
                    Function { name: format!("{name}-take"), params: vec![ticket], ..plain },
                ] {
                    resolve.interfaces[interface].functions.insert(one.name.clone(), one);
                }
            }
        }
        Ok(())
    }

    /// What stored heaps import, of each version of an interface that was ever released: `tests/wit/linked`. Where a module loses
    /// or changes a function without another version, sessions would not come back.
    #[test]
    fn what_stored_heaps_import_is_linked() {
        let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wit/linked");
        let engine = wasmtime::Engine::default();
        let mut seen = Vec::new();
        for module in crate::modules::ALL.iter().copied() {
            for name in module.interfaces() {
                let (_, version) = name.split_once('@').unwrap();
                let file = format!("{}-{version}.wit", module.name);
                let wit = match std::fs::read_to_string(place.join(&file)) {
                    Ok(wit) => wit,
                    // Not released yet.
                    Err(_) if module.interface.as_ref().is_some_and(|now| now.name == name) => continue,
                    Err(error) => panic!("{file}, which `before` names: {error}"),
                };
                seen.push(file);
                let interface = Interface { name, wit: wit.leak(), link: |_| Ok(()) };
                let former = Box::leak(Box::new(Module { interface: Some(interface), ..Module::BASE }));
                for lower in [merge_async, split_async] {
                    let (resolve, world) = world_of(&[former], lower).unwrap();
                    let mut bindings = wit_dylib::create(&resolve, world, None);
                    embed(&mut bindings, &resolve, world).unwrap();
                    let linker = wit_component::Linker::default().stub_missing_functions(true);
                    let component = linker.library("bindings.wasm", &bindings, false).unwrap().encode().unwrap();
                    let component = wasmtime::component::Component::new(&engine, component).unwrap();
                    let linker = super::super::build::linker(&engine, &[module]).unwrap();
                    linker.instantiate_pre(&component).unwrap_or_else(|error| panic!("{name}: {error:?}"));
                }
            }
        }
        for entry in std::fs::read_dir(place).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            assert!(seen.contains(&file), "{file}: no module links it any more");
        }
    }

    #[test]
    fn names_that_would_be_taken_for_another_are_refused() {
        for name in ["a-async", "a-both"] {
            let error = imported(&format!("{name}: func();")).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
        let error = imported("a: async func() -> u32;").unwrap_err().to_string();
        assert_eq!(error, "async func a must answer with a result that has an error");
    }
}
