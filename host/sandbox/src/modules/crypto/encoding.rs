//! Bytes as text and back, as lenient as Node's Buffer.
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD};

use super::{Answer, Failure};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// `max`: bytes that the text may have.
pub(super) fn encode(bytes: &[u8], encoding: &str, max: usize) -> Answer<String> {
    let longest = match encoding {
        "hex" | "latin1" => bytes.len().saturating_mul(2),
        "utf8" => bytes.len().saturating_mul(3),
        _ => bytes.len().saturating_mul(4) / 3 + 4,
    };
    if longest > max {
        return Err(Failure::new("ERR_BUFFER_TOO_LARGE", format!("text of more than {max} bytes")));
    }
    Ok(match encoding {
        "hex" => hex(bytes),
        "base64" => STANDARD.encode(bytes),
        "base64url" => URL_SAFE_NO_PAD.encode(bytes),
        "latin1" => bytes.iter().map(|byte| char::from(*byte)).collect(),
        "ascii" => bytes.iter().map(|byte| char::from(byte & 0x7f)).collect(),
        "utf8" => String::from_utf8_lossy(bytes).into_owned(),
        _ => return Err(unknown(encoding)),
    })
}

/// `max`: bytes that there may be.
pub(super) fn decode(text: &str, encoding: &str, max: usize) -> Answer<Vec<u8>> {
    // UTF-16 alone can be longer than the text.
    if text.len() > max || (encoding == "utf16le" && text.len() > max / 2) {
        return Err(Failure::new("ERR_BUFFER_TOO_LARGE", format!("more than {max} bytes")));
    }
    Ok(match encoding {
        // Up to the first that is no pair of digits.
        "hex" => {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let pairs = text.as_bytes().as_chunks::<2>().0.iter();
            pairs.map_while(|[high, low]| Some((digit(*high)? * 16 + digit(*low)?) as u8)).collect()
        }
        // Both alphabets, up to the padding, and without whatever else is in it.
        "base64" | "base64url" => {
            let digits = text.bytes().take_while(|byte| *byte != b'=').filter_map(|byte| match byte {
                b'+' => Some(b'-'),
                b'/' => Some(b'_'),
                b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Some(byte),
                _ => None,
            });
            let mut digits: Vec<u8> = digits.collect();
            if digits.len() % 4 == 1 {
                digits.pop();
            }
            LENIENT.decode(&digits).map_err(|error| Failure::new("ERR_INVALID_ARG_VALUE", error.to_string()))?
        }
        "latin1" => text.encode_utf16().map(|unit| unit as u8).collect(),
        "utf16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => return Err(unknown(encoding)),
    })
}

fn unknown(encoding: &str) -> Failure {
    let encoding: String = encoding.chars().take(100).collect();
    Failure::new("ERR_UNKNOWN_ENCODING", format!("Unknown encoding: {encoding}"))
}
