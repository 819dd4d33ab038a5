//! Text on its way out: always UTF-8, since the host refuses anything else.
use crate::js::{Raw, Result, Utf8, throw_out_of_memory};

/// UTF-8 bytes.
pub enum Text {
    Lent(Utf8),
    Owned(Vec<u8>),
    Static(&'static str),
}

impl Text {
    /// The string form of a value; what isn't a string is converted, and so may run user code. Lone surrogates become
    /// U+FFFD.
    pub fn of(value: Raw) -> Result<Text> {
        Text::clean(Utf8::of(value)?)
    }

    /// Checks the engine's bytes and copies them only when a surrogate has to be replaced.
    pub fn clean(utf8: Utf8) -> Result<Text> {
        if core::str::from_utf8(utf8.bytes()).is_ok() {
            return Ok(Text::Lent(utf8));
        }
        let mut bytes = copy_of(utf8.bytes())?;
        replace_surrogates(&mut bytes);
        Ok(Text::Owned(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Text::Lent(utf8) => utf8.bytes(),
            Text::Owned(bytes) => bytes,
            Text::Static(text) => text.as_bytes(),
        }
    }

    /// At most `bytes_max` bytes of it.
    pub fn cut(self, bytes_max: usize) -> Text {
        let text = self.str();
        if text.len() <= bytes_max {
            return self;
        }
        Text::Owned(text.as_bytes()[..text.floor_char_boundary(bytes_max)].to_vec())
    }

    pub fn str(&self) -> &str {
        core::str::from_utf8(self.bytes()).unwrap_or("")
    }
}

/// A copy whose failure is JavaScript's out of memory, for sizes that a script chooses.
pub fn copy_of(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    append(&mut copy, bytes)?;
    Ok(copy)
}

pub fn append(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    out.try_reserve(bytes.len()).map_err(|_| throw_out_of_memory())?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Makes UTF-8 of what the engine appended at `from`. A cut may have left half a character at the end.
pub fn make_valid(out: &mut Vec<u8>, from: usize) {
    if let Err(error) = core::str::from_utf8(&out[from..]) {
        if error.error_len().is_none() {
            out.truncate(from + error.valid_up_to());
        } else {
            replace_surrogates(&mut out[from..]);
            if let Err(error) = core::str::from_utf8(&out[from..]) {
                out.truncate(from + error.valid_up_to());
            }
        }
    }
}

/// QuickJS writes a lone surrogate as ED A0..BF xx, and nothing else that isn't UTF-8.
pub fn replace_surrogates(bytes: &mut [u8]) {
    let mut at = 0;
    while at + 2 < bytes.len() {
        if bytes[at] == 0xed && bytes[at + 1] >= 0xa0 {
            bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
            at += 3;
        } else {
            at += 1;
        }
    }
}
