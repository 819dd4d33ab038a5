//! Bytes as text, in Node's encodings.
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};

use super::types::Encoding;

/// Node takes what it can get: with or without padding, in either alphabet.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// None: the text would be longer than `max` bytes.
pub(super) fn decode(bytes: Vec<u8>, encoding: Encoding, max: usize) -> Option<String> {
    let longest = match encoding {
        Encoding::Utf8 | Encoding::Ascii => bytes.len(),
        Encoding::Latin1 | Encoding::Hex => bytes.len() * 2,
        Encoding::Base64 | Encoding::Base64url => bytes.len().div_ceil(3) * 4,
        Encoding::Utf16le => bytes.len().div_ceil(2) * 3,
    };
    // Latin-1 and UTF-16 are mostly shorter than that: measured when it is done.
    if longest > max && matches!(encoding, Encoding::Hex | Encoding::Base64 | Encoding::Base64url) {
        return None;
    }
    let text = match encoding {
        Encoding::Utf8 => {
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Encoding::Ascii => bytes.iter().map(|byte| char::from(byte & 0x7f)).collect(),
        Encoding::Latin1 => bytes.iter().copied().map(char::from).collect(),
        Encoding::Hex => {
            let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
            bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
        }
        Encoding::Base64 => general_purpose::STANDARD.encode(bytes),
        Encoding::Base64url => general_purpose::URL_SAFE_NO_PAD.encode(bytes),
        Encoding::Utf16le => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
    };
    // Replacing bad bytes makes a text longer.
    (text.len() <= max).then_some(text)
}

/// The bytes that a text stands for; what is no digit ends it, as in Node.
pub(super) fn encode(text: String, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.into_bytes(),
        Encoding::Latin1 | Encoding::Ascii => text.encode_utf16().map(|unit| unit.to_le_bytes()[0]).collect(),
        Encoding::Utf16le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Hex => {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let pairs = text.as_bytes().chunks_exact(2);
            pairs.map_while(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
        }
        Encoding::Base64 | Encoding::Base64url => {
            let digits = text.bytes().take_while(|byte| *byte != b'=').filter_map(|byte| match byte {
                b'-' => Some(b'+'),
                b'_' => Some(b'/'),
                byte if byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' => Some(byte),
                _ => None,
            });
            let mut digits: Vec<u8> = digits.collect();
            if digits.len() % 4 == 1 {
                digits.pop();
            }
            LENIENT.decode(digits).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_node_has_it() {
        let bytes = vec![0xff, 0x00, 0x41, 0xe9];
        for (encoding, text) in [
            (Encoding::Latin1, "\u{ff}\0A\u{e9}"),
            (Encoding::Hex, "ff0041e9"),
            (Encoding::Base64, "/wBB6Q=="),
            (Encoding::Base64url, "_wBB6Q"),
        ] {
            assert_eq!(decode(bytes.clone(), encoding, 100).unwrap(), text);
            assert_eq!(encode(text.to_owned(), encoding), bytes);
        }
        assert_eq!(decode(bytes.clone(), Encoding::Ascii, 100).unwrap(), "\u{7f}\0Ai");
        assert_eq!(decode(bytes.clone(), Encoding::Utf16le, 100).unwrap(), "\u{ff}\u{e941}");
        assert_eq!(decode(bytes, Encoding::Hex, 7), None);
        assert_eq!(encode("0a1xff".into(), Encoding::Hex), [10]);
        assert_eq!(encode("/w BB\n6Q".into(), Encoding::Base64), [0xff, 0, 0x41, 0xe9]);
        assert!(encode("A".into(), Encoding::Base64).is_empty());
    }
}
