//! Names of modules: a specifier that begins with a dot is joined with the directory of who imports it. Paths are normal, so
//! that a file is one module however it is written.
use crate::js::{self, JSContext};
use core::cell::RefCell;
use core::ffi::{CStr, c_char, c_void};
use javy::quickjs::qjs;

/// What was named last: the engine loads it right afterwards, if it has it not.
static LAST: js::SingleThread<RefCell<Option<Named>>> = js::SingleThread(RefCell::new(None));

struct Named {
    name: Vec<u8>,
    /// Who imports it, where the specifier was relative or absolute: else nobody cares.
    importer: Option<Vec<u8>>,
    /// It is where it says, relative to a file. What is typed lies nowhere: then it is looked for.
    placed: bool,
}

/// The name by which the engine knows what `importer` calls `specifier`.
pub unsafe extern "C" fn normalize(
    context: *mut JSContext,
    importer: *const c_char,
    specifier: *const c_char,
    _opaque: *mut c_void,
) -> *mut c_char {
    // SAFETY: the engine passes C strings.
    let (importer, specifier) = unsafe { (CStr::from_ptr(importer).to_bytes(), CStr::from_ptr(specifier).to_bytes()) };
    let relative = [&b"."[..], b".."].contains(&specifier) || specifier.starts_with(b"./") || specifier.starts_with(b"../");
    let absolute = specifier.starts_with(b"/");
    let name = match (relative, absolute) {
        (true, _) => {
            let directory = &importer[..importer.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)];
            normal(&[directory, specifier].concat())
        }
        (_, true) => [b"/", normal(specifier).as_slice()].concat(),
        _ => specifier.to_vec(),
    };
    // SAFETY: copies the name into a block of the engine's, which the engine frees.
    let copy = unsafe { qjs::js_strndup(context, name.as_ptr().cast(), name.len() as _) };
    let typed = importer.starts_with(b"<") || importer == b"[stdin]";
    let importer = (relative || absolute).then(|| importer.to_vec());
    *LAST.0.borrow_mut() = Some(Named { name, importer, placed: relative && !typed });
    copy
}

/// Whether a name that is to be loaded is that of a place, and who imports it.
pub fn asked(name: &[u8]) -> (bool, Option<Vec<u8>>) {
    match LAST.0.borrow_mut().take() {
        Some(last) if last.name == name => (last.placed, last.importer),
        _ => (false, None),
    }
}

/// A relative path without empty and `.` segments, and without those that `..` takes back. A `..` that leads out stays.
pub fn normal(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    kept.join(&b'/')
}
