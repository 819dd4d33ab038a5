//! What the host calls. The instance is thrown away after one source, so nothing is ever freed.
use crate::{Stripped, SyntaxError};

const STRIP: u32 = 0;
const STRIP_MODULE: u32 = 1;
const STRIP_LINE: u32 = 2;
const DECLARATIONS: u32 = 3;

/// Room for a source.
#[unsafe(no_mangle)]
pub extern "C" fn allocate(len: usize) -> *mut u8 {
    Box::leak(vec![0; len].into_boxed_slice()).as_mut_ptr()
}

/// The answer's address and, in the upper half, its length: one byte of kind, line and column as little-endian words, and
/// text. Kinds: 0 a script, 1 a module, 2 an error, 3 no need.
///
/// # Safety
///
/// `source` is what [`allocate`] gave for `len`, filled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn convert(source: *const u8, len: usize, what: u32) -> u64 {
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts(source, len) };
    let stripped = |stripped: Stripped| (u8::from(stripped.module), stripped.javascript);
    let result = match core::str::from_utf8(bytes) {
        Err(_) => Err(SyntaxError { message: "the source is not UTF-8".to_owned(), line: 1, column: 1 }),
        Ok(source) => match what {
            STRIP => crate::strip(source, false).map(stripped),
            STRIP_MODULE => crate::strip(source, true).map(stripped),
            STRIP_LINE => crate::strip_line(source).map_or(Ok((3, String::new())), |line| line.map(stripped)),
            DECLARATIONS => crate::declarations(source).map(|text| (1, text)),
            _ => Ok((3, String::new())),
        },
    };
    let (kind, line, column, text) = match result {
        Ok((kind, text)) => (kind, 0, 0, text),
        Err(error) => (2, error.line, error.column, error.message),
    };
    let mut answer = Vec::with_capacity(9 + text.len());
    answer.push(kind);
    answer.extend(line.to_le_bytes());
    answer.extend(column.to_le_bytes());
    answer.extend(text.into_bytes());
    let answer = answer.leak();
    (answer.len() as u64) << 32 | answer.as_ptr() as u64 & 0xffff_ffff
}
