//! Names of modules: a specifier that begins with a dot is joined with the directory of who imports it. Paths are normal, so
//! that a file is one module however it is written.
use crate::js::{self, JSContext};
use crate::session;
use core::cell::RefCell;
use core::ffi::{CStr, c_char, c_void};
use javy::quickjs::qjs;

/// In front of the names of what is looked for, where they could be those of files: two imports that are written alike must
/// not get the same module when one of them is relative. Names without a dot are native modules and files that leave
/// their ending out; of the latter those that are relative begin with `./`.
const LOOKED_FOR: &[u8] = b"bare:";
/// So the host says in the text of what was looked for where it lies.
const FILE: &[u8] = b"[file]";

/// What was named last: the engine loads it right afterwards, if it has it not.
static LAST: js::SingleThread<RefCell<Option<Named>>> = js::SingleThread(RefCell::new(None));

struct Named {
    name: Vec<u8>,
    /// What the host is asked for. In front is `./` where the file lies just there.
    asked: Vec<u8>,
    /// Who imports it, where the specifier was relative or absolute: else nobody cares.
    importer: Option<Vec<u8>>,
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
    let named = named(importer, specifier);
    // SAFETY: copies the name into a block of the engine's, which the engine frees.
    let copy = unsafe { qjs::js_strndup(context, named.name.as_ptr().cast(), named.name.len() as _) };
    *LAST.0.borrow_mut() = Some(named);
    copy
}

fn named(importer: &[u8], specifier: &[u8]) -> Named {
    // While an image is built nothing is a file: names are those of facades and of a package's parts.
    let sealed = session::is_sealed();
    let looked_for = importer.strip_prefix(LOOKED_FOR);
    if let (Some(_), Some(path)) = (looked_for, specifier.strip_prefix(FILE)) {
        return Named { name: path.to_vec(), asked: [b"./", path].concat(), importer: None };
    }
    let by = Some(importer.to_vec());
    let place = looked_for.unwrap_or(importer);
    if [&b"."[..], b".."].contains(&specifier) || specifier.starts_with(b"./") || specifier.starts_with(b"../") {
        let directory = &place[..place.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)];
        let path = normal(&[directory, specifier].concat());
        let asked = [b"./", path.as_slice()].concat();
        // What is typed lies nowhere.
        if importer.starts_with(b"<") || importer == b"[stdin]" {
            let name = [LOOKED_FOR, &asked].concat();
            return Named { asked: name.clone(), name, importer: by };
        }
        return Named { name: if has_ending(&path) || !sealed { path } else { asked.clone() }, asked, importer: by };
    }
    let (name, importer) = match specifier.starts_with(b"/") {
        true => ([LOOKED_FOR, b"/", &normal(specifier)].concat(), by),
        false if has_ending(specifier) && sealed => ([LOOKED_FOR, specifier].concat(), None),
        false => (specifier.to_vec(), None),
    };
    Named { asked: name.clone(), name, importer }
}

fn has_ending(path: &[u8]) -> bool {
    path.rsplit(|byte| *byte == b'/').next().is_some_and(|last| last.contains(&b'.'))
}

/// What the host is asked for where the engine loads this name, and who imports it.
pub fn asked(name: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    match LAST.0.borrow_mut().take() {
        Some(last) if last.name == name => (last.asked, last.importer),
        _ => (name.to_vec(), None),
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
