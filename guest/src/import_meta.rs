//! `import.meta` of the worktree's modules, whose root is `/` to scripts.
use crate::js::{self, Raw, Value};
use crate::{session, specifier};
use javy::quickjs::qjs;

/// Gives a module that was compiled and not yet run its `dirname`, `filename` and `url`. `name` is its path beneath the
/// root; what is evaluated into an image is of no worktree.
pub fn describe(module: Raw, name: &[u8]) -> js::Result<()> {
    if !session::is_sealed() {
        return Ok(());
    }
    // SAFETY: a module, which the context keeps.
    let meta = Value::checked(unsafe { qjs::JS_GetImportMeta(js::context(), js::address(module).cast()) })?;
    let path = [b"/", specifier::normal(name).as_slice()].concat();
    let parent = match path.iter().rposition(|byte| *byte == b'/') {
        None | Some(0) => b"/",
        Some(end) => &path[..end],
    };
    meta.define(js::atom(b"dirname")?, Value::string(parent)?)?;
    meta.define(js::atom(b"filename")?, Value::string(&path)?)?;
    meta.define(js::atom(b"url")?, Value::string(&url(&path))?)
}

/// Percent-encoded as Node's `pathToFileURL` does.
fn url(path: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut url = b"file://".to_vec();
    for &byte in path {
        if byte <= b' ' || byte >= 0x7f || b"\"#%<>?\\`{}".contains(&byte) {
            url.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            url.push(byte);
        }
    }
    url
}
