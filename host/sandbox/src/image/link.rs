//! From a list of modules to one component: the world whose imports are exactly `vm:session/control` and the listed
//! interfaces, its bindings library, and the linker that joins guest, bindings and state access.
use std::borrow::Cow;

use wasmtime::error::Context as _;
use wit_component::StringEncoding;
use wit_parser::{
    Docs, Function, FunctionKind, PackageId, Param, Resolve, Result_, Span, Stability, Type, TypeDef, TypeDefKind,
    TypeOwner, WorldId,
};

use super::fuse;
use crate::modules::Module;
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
    let mut resolve = Resolve::default();
    push(&mut resolve, "session.wit", SESSION_WIT)?;
    let mut world = String::from("package vm:template;\n\nworld session {\n");
    for interface in modules.iter().filter_map(|module| module.interface.as_ref()) {
        let package = push(&mut resolve, interface.name, interface.wit)?;
        split_async(&mut resolve, package)?;
        world.push_str(&format!("  import {};\n", interface.name));
    }
    world.push_str("  export vm:session/guest@0.1.0;\n}\n");
    let package = push(&mut resolve, "template.wit", &world)?;
    let world = resolve.select_world(&[package], Some("session")).map_err(wasmtime::Error::from_anyhow)?;
    Ok((resolve, world))
}

/// Makes two functions of each `async func x(...) -> result<T, E>`: `x-start` takes the arguments and answers with a
/// ticket, `x-take` takes that and answers with the result. The guest makes one again that answers with a promise.
fn split_async(resolve: &mut Resolve, package: PackageId) -> wasmtime::Result<()> {
    let interfaces: Vec<_> = resolve.packages[package].interfaces.values().copied().collect();
    for interface in interfaces {
        let functions = std::mem::take(&mut resolve.interfaces[interface].functions);
        for (name, function) in functions {
            if function.kind != FunctionKind::AsyncFreestanding {
                resolve.interfaces[interface].functions.insert(name, function);
                continue;
            }
            let failure = match function.result {
                Some(Type::Id(id)) => match &resolve.types[id].kind {
                    TypeDefKind::Result(result) => result.err,
                    _ => None,
                },
                _ => None,
            };
            let failure = failure.ok_or_else(|| {
                wasmtime::format_err!("async func {name} must answer with a result that has an error")
            })?;
            let ticket = resolve.types.alloc(TypeDef {
                name: None,
                kind: TypeDefKind::Result(Result_ { ok: Some(Type::U32), err: Some(failure) }),
                owner: TypeOwner::None,
                docs: Docs::default(),
                stability: Stability::default(),
                span: Span::default(),
                external_id: None,
            });
            let part = |suffix: &str, params, result| Function {
                name: format!("{name}-{suffix}"),
                kind: FunctionKind::Freestanding,
                params,
                result,
                ..function.clone()
            };
            let given = Param { name: "ticket".to_owned(), ty: Type::U32, span: Span::default() };
            let start = part("start", function.params.clone(), Some(Type::Id(ticket)));
            let take = part("take", vec![given], function.result);
            for part in [start, take] {
                resolve.interfaces[interface].functions.insert(part.name.clone(), part);
            }
        }
    }
    Ok(())
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
