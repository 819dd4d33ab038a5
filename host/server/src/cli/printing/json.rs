//! JSON as the server wrote it, laid out for reading: values and their order stay what they are.

/// Deeper levels are not indented further: the layout of a few hostile bytes must not take gigabytes.
const DEPTH_MAX: usize = 32;

/// Indents `raw`, which must be valid JSON, by 2 a level. Empty lists and objects stay on their line.
pub fn indent(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() * 2);
    let mut depth = 0_usize;
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '"' => {
                length = string_length(rest);
                out.push_str(&rest[..length]);
            }
            '{' | '[' => {
                out.push(c);
                let inner = rest[1..].trim_start();
                if let Some(close) = inner.chars().next().filter(|c| matches!(c, '}' | ']')) {
                    out.push(close);
                    length = rest.len() - inner.len() + 1;
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
        rest = &rest[length..];
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(DEPTH_MAX)));
}

/// Bytes of the string that `text` starts with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_looks_as_it_should() {
        assert_eq!(
            indent(r#"{"b":[1,{"x":"a\",{"}],"a":{ },"e":[],"n":1.50}"#),
            "{\n  \"b\": [\n    1,\n    {\n      \"x\": \"a\\\",{\"\n    }\n  ],\n  \"a\": {},\n  \"e\": [],\n  \"n\": 1.50\n}"
        );
        assert_eq!(indent("[]"), "[]");
        assert_eq!(indent(" \"π\" "), "\"π\"");
    }

    #[test]
    fn depth_costs_no_more_than_length() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(indent(&deep).len() < 100 * deep.len());
    }

    proptest! {
        #[test]
        fn nothing_but_white_space_changes(texts in prop::collection::vec(".*", 0..4), number: i64) {
            let value = serde_json::json!({ "texts": texts, "n": number, "o": { "e": {} } });
            let laid_out = indent(&value.to_string());
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&laid_out).unwrap(), &value);
            prop_assert_eq!(laid_out, serde_json::to_string_pretty(&value).unwrap());
        }

        #[test]
        fn any_text_is_survived(text in ".*") {
            indent(&text);
        }
    }
}
