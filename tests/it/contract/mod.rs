//! The contract that existing clients rely on, table by table and to the letter.
mod codes;
mod errors;
mod events;
mod executions;
mod general;
mod objects;
mod sessions;
mod templates;

use serde_json::Value;

use crate::harness::{Answer, Server};

/// An id that nothing has.
pub const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// The keys of a JSON object in the order in which they are written: old clients grep pairs of them.
pub fn keys(text: &str) -> Vec<&str> {
    let (mut keys, mut depth, mut begun, mut escaped) = (Vec::new(), 0, None, false);
    let mut last = "";
    for (at, character) in text.char_indices() {
        match (begun, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(from), '"') => {
                last = &text[from..at];
                begun = None;
            }
            (Some(_), _) => {}
            (None, '"') => begun = Some(at + 1),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth -= 1,
            (None, ':') if depth == 1 => keys.push(last),
            (None, _) => {}
        }
    }
    keys
}

/// Whether JSON is written without blanks between its parts.
pub fn is_compact(text: &str) -> bool {
    let (mut inside, mut escaped) = (false, false);
    text.chars().all(|character| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
        inside || !character.is_whitespace()
    })
}

/// A session of a new template without modules, and its template.
pub fn session(server: &Server) -> (String, String) {
    let template = server.template("t", &[]);
    (server.session(&template), template)
}

/// Asserts an error to the letter: status, code, message, and the details in full.
#[track_caller]
pub fn refused(answer: Answer, status: u16, code: &str, message: &str, details: Value) -> Answer {
    let answer = answer.expect_error(status, code);
    let error = &answer.json["error"];
    assert_eq!(error["message"], message, "{}", answer.text);
    assert_eq!(error.get("details").cloned().unwrap_or(Value::Null), details, "{}", answer.text);
    answer
}

#[test]
fn keys_are_read_in_order() {
    assert_eq!(keys(r#"{"b":{"x":1},"a":["q",{"y":2}],"c\"":"k:\"{"}"#), ["b", "a", "c\\\""]);
    assert!(is_compact(r#"{"a b":[1,"\" "]}"#) && !is_compact(r#"{"a": 1}"#));
}
