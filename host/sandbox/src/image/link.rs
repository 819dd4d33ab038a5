//! From a list of modules to one component: the world whose imports are exactly `vm:session/control` and the listed
//! interfaces, its bindings library, and the linker that joins guest, bindings and state access.
use std::borrow::Cow;

use wasmtime::error::Context as _;
use wit_component::StringEncoding;
use wit_parser::{Resolve, WorldId};

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
    for module in modules {
        push(&mut resolve, module.name, module.wit)?;
        world.push_str(&format!("  import {};\n", module.interface));
    }
    world.push_str("  export vm:session/guest@0.1.0;\n}\n");
    let package = push(&mut resolve, "template.wit", &world)?;
    let world = resolve.select_world(&[package], Some("session")).map_err(wasmtime::Error::from_anyhow)?;
    Ok((resolve, world))
}

fn session_worlds() -> wasmtime::Result<(Resolve, WorldId, WorldId)> {
    let mut resolve = Resolve::default();
    let package = push(&mut resolve, "session.wit", SESSION_WIT)?;
    let world = |name| resolve.select_world(&[package], Some(name)).map_err(wasmtime::Error::from_anyhow);
    let (adapter, state) = (world("adapter")?, world("state-access")?);
    Ok((resolve, adapter, state))
}

fn push(resolve: &mut Resolve, name: &str, wit: &str) -> wasmtime::Result<wit_parser::PackageId> {
    resolve.push_str(name, wit).map_err(wasmtime::Error::from_anyhow).with_context(|| format!("the WIT of {name}"))
}

fn embed(module: &mut Vec<u8>, resolve: &Resolve, world: WorldId) -> wasmtime::Result<()> {
    wit_component::embed_component_metadata(module, resolve, world, StringEncoding::UTF8)
        .map_err(wasmtime::Error::from_anyhow)
}

fn assemble(text: &str) -> wasmtime::Result<Vec<u8>> {
    wat::parse_str(text).map_err(|error| wasmtime::format_err!("{error}"))
}
