//! `vm:session/control`: the only interface that every guest has.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::ConsoleLevel;
use rand::RngExt;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList, WasmStr};

use crate::host::Host;
use crate::limits::{Verdict, host_text_bytes};
use crate::resolve::{self, Missing};
use crate::tickets::Checkpointed;
use crate::typescript;

pub(crate) const INTERFACE: &str = "vm:session/control@0.1.0";

/// The clock's step: coarse, so that a script can't time the machine's caches.
const CLOCK_STEP_NS: u64 = 1_000_000;
/// Panic text of the guest that is worth a line in the log, and how many lines a run may have: a guest that panics prints
/// one or two and traps.
const STDERR_BYTES_MAX: usize = 4_096;
const STDERR_LINES_MAX: u32 = 8;
/// Longest specifier of an `import`, resolved: a path's length.
const MODULE_NAME_BYTES_MAX: usize = 4_096;

/// Ends a run that did not stop when it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("the script did not stop within its grace")]
pub(crate) struct HardStop;

pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut control = linker.instance(INTERFACE)?;
    control.func_wrap("poll", |mut store: StoreContextMut<'_, Host>, (): ()| match store.data_mut().meter.poll() {
        Verdict::Go => Ok((false,)),
        Verdict::Stop => Ok((true,)),
        Verdict::Trap => Err(HardStop.into()),
    })?;
    control.func_wrap("clock", |_: StoreContextMut<'_, Host>, (): ()| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        Ok((now - now % CLOCK_STEP_NS,))
    })?;
    control.func_wrap("random", |_: StoreContextMut<'_, Host>, (): ()| Ok((rand::rng().random::<u64>(),)))?;
    control.func_wrap("log", |mut store: StoreContextMut<'_, Host>, (level, text): (u8, WasmList<u8>)| {
        let level = match level {
            0 => ConsoleLevel::Log,
            1 => ConsoleLevel::Info,
            2 => ConsoleLevel::Warn,
            3 => ConsoleLevel::Error,
            4 => ConsoleLevel::Debug,
            _ => {
                let bytes = text.as_le_slice(&store);
                let bytes = &bytes[..bytes.len().min(STDERR_BYTES_MAX)];
                let text = String::from_utf8_lossy(bytes).into_owned();
                let meter = &mut store.data_mut().meter;
                meter.stderr_lines += 1;
                if meter.stderr_lines <= STDERR_LINES_MAX {
                    tracing::error!(?text, "the guest wrote to its stderr");
                }
                return Ok((false,));
            }
        };
        // Bounded before it is copied: what the meter refuses is never allocated on the host.
        if text.len() > store.data().meter.output_left() {
            let len = text.len();
            return Ok((!store.data_mut().meter.event(len),));
        }
        let text = text.as_le_slice(&store).to_vec();
        Ok((!store.data_mut().log(level, text),))
    })?;
    control.func_wrap("timer", |mut store: StoreContextMut<'_, Host>, (ms, repeats): (u32, bool)| {
        let ticket = store.data_mut().tickets.timer(Duration::from_millis(ms.into()), repeats);
        Ok((ticket.unwrap_or(0),))
    })?;
    control.func_wrap("hold-timer", |mut store: StoreContextMut<'_, Host>, (ticket, holds): (u32, bool)| {
        store.data_mut().tickets.hold_timer(ticket, holds);
        Ok(())
    })?;
    control.func_wrap("cancel", |mut store: StoreContextMut<'_, Host>, (ticket,): (u32,)| {
        store.data_mut().tickets.cancel_timer(ticket);
        Ok(())
    })?;
    control.func_wrap("checkpoint", |mut store: StoreContextMut<'_, Host>, (): ()| {
        let host = store.data_mut();
        let refused =
            (!host.durable).then(|| "sessions of this template are not stored (runtime.durability)".to_owned());
        Ok((host.tickets.checkpoint(refused).unwrap_or(0),))
    })?;
    control.func_wrap("checkpointed", |mut store: StoreContextMut<'_, Host>, (ticket,): (u32,)| {
        let found: Option<Checkpointed> = store.data_mut().tickets.take(ticket);
        Ok((found.unwrap_or_else(|| Err("there is no such checkpoint".to_owned())),))
    })?;
    control.func_wrap("load-module", |mut store: StoreContextMut<'_, Host>, (name,): (WasmStr,)| {
        let meter = &mut store.data_mut().meter;
        meter.host_calls += 1;
        if meter.poll() == Verdict::Trap {
            return Err(HardStop.into());
        }
        let name = name.to_str(&store)?;
        if name.len() > MODULE_NAME_BYTES_MAX {
            return Ok((Err(format!("Invalid module: its name is longer than {MODULE_NAME_BYTES_MAX} bytes")),));
        }
        let name = name.into_owned();
        Ok((load_module(store.data_mut(), &name),))
    })?;
    Ok(())
}

/// The source of an ES module: a listed native module or library, or a file beneath the session's root. While an image is
/// built, a file of the library that is being evaluated.
fn load_module(host: &mut Host, name: &str) -> Result<String, String> {
    let (from, name) = From::of(name);
    if let Some(source) = host.package.get(name) {
        return Ok(source.to_string());
    }
    let native = name.strip_prefix("node:").unwrap_or(name);
    if let Some(names) = host.exports.get(native).filter(|_| !matches!(from, From::File | From::Typed)) {
        // The default of an ES module, or of one that was made into CommonJS, is its own. Names are exported by another
        // name, for they may be words that no variable can have.
        let mut source = format!(
            "const all = require({native:?});\n\
             const own = all?.[Symbol.toStringTag] === 'Module' || (all?.__esModule === true && 'default' in all);\n\
             export default own ? all.default : all;\n"
        );
        for (index, name) in names.iter().enumerate() {
            source.push_str(&format!("const v{index} = all.{name};\nexport {{ v{index} as {name} }};\n"));
        }
        return Ok(source);
    }
    let shown: String = name.chars().take(200).collect();
    let known = host.exports.keys().cloned().collect::<Vec<_>>().join(", ");
    let listed = if known.is_empty() { "no modules".to_owned() } else { known };
    let invalid = |why: &str| format!("Invalid module \"{shown}\": this template lists {listed}, and {why}");
    if !host.esm {
        return Err(invalid("files can't be imported: its settings have runtime.esm false"));
    }
    let Some(root) = &host.root else { return Err(invalid("the session has no root")) };
    let max = host_text_bytes(host.meter.limits().mem_mb);
    let (resolver, placed) = (&host.resolver, from == From::File);
    match resolve::read(root, resolver, name, placed, max) {
        Ok((path, bytes)) => {
            let text = String::from_utf8(bytes).map_err(|_| format!("Module \"{shown}\" is not UTF-8"))?;
            let end = path.rsplit('/').next().unwrap_or(&path);
            let again =
                |path: &str| resolve::read(root, resolver, path, false, max).is_ok_and(|(found, _)| found == path);
            match from {
                From::File if path != name => return Ok(alias(&path, &format!("./{end}"), &text)),
                From::Typed | From::Roots => return Ok(alias(&path, &format!("[file]{path}"), &text)),
                From::Plain if path != name && again(&path) => return Ok(alias(&path, &path, &text)),
                _ => {}
            }
            file_module(host, &path, text).map_err(|why| format!("Module \"{shown}\" {why}"))
        }
        Err(why) if matches!(from, From::File | From::Typed) || name.starts_with('/') => Err(match why {
            Missing::Absent(_) => format!("Cannot find module \"{shown}\": there is no such file"),
            Missing::Other(why) => format!("Cannot read module \"{shown}\": {why}"),
        }),
        Err(why) => Err(invalid(&format!("as a file: {}", why.why()))),
    }
}

/// How a guest asks for a module (`guest/src/specifier.rs`).
#[derive(Clone, Copy, PartialEq)]
enum From {
    /// `./PATH`: a relative import of a file. It is just there, or, without its ending, beside.
    File,
    /// `bare:./PATH`: a relative import of what was typed.
    Typed,
    /// `bare:NAME`: a bare or absolute name with a dot in it.
    Roots,
    /// A bare name; and every name of a guest of before, joined with the directory of who imports it.
    Plain,
}

impl From {
    fn of(name: &str) -> (From, &str) {
        if let Some(path) = name.strip_prefix("./") {
            return (From::File, path);
        }
        match name.strip_prefix("bare:") {
            Some(name) => name.strip_prefix("./").map_or((From::Roots, name), |path| (From::Typed, path)),
            None => (From::Plain, name),
        }
    }
}

/// A module under another name than its file's: the same instance, and stack traces name the file.
fn alias(path: &str, specifier: &str, text: &str) -> String {
    let mut source = format!("export * from {specifier:?};");
    // Whether there is a default is the engine's to know; without the word there is none.
    if text.contains("default") || path.ends_with(".json") {
        source.push_str(&format!("import * as all from {specifier:?}; export default all.default;"));
    }
    source
}

/// JavaScript of a file, by what its name says it is.
fn file_module(host: &mut Host, path: &str, text: String) -> Result<String, String> {
    if path.ends_with(".json") {
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let json: &serde_json::value::RawValue =
            serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
        // By way of a string: an object literal would take `__proto__` for more than a name.
        return Ok(format!("export default JSON.parse({});", serde_json::Value::from(json.get())));
    }
    if !typescript::is_typescript_name(path) {
        return Ok(text);
    }
    host.meter.excuse(typescript::prepare());
    match typescript::strip_metered(&text, path, &mut host.meter) {
        Some(Ok(stripped)) => Ok(stripped.javascript),
        None => Err("takes longer to convert than the script has left".to_owned()),
        Some(Err(error)) => Err(format!("is not TypeScript: {error} ({path}:{}:{})", error.line, error.column)),
    }
}
