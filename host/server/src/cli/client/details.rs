//! What a refusal says beyond its code and message.
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cli::printing;

/// The ids and names that a refusal is about.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Details(Map<String, Value>);

impl fmt::Display for Details {
    /// Behind the message, on its line: ` (module=nope, reason=unknown)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}{}=", if index == 0 { " (" } else { ", " }, printing::line(name))?;
            match value {
                Value::String(text) if plain(text) => f.write_str(text)?,
                other => write!(f, "{}", printing::line(&other.to_string()))?,
            }
        }
        f.write_str(if self.0.is_empty() { "" } else { ")" })
    }
}

/// Whether a text can be told from what is around it without quotes.
fn plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "(),=\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_stand_on_one_line_and_can_be_told_apart() {
        let shown = |json: &str| serde_json::from_str::<Details>(json).unwrap().to_string();
        assert_eq!(shown("{}"), "");
        assert_eq!(shown(r#"{"module":"nope","reason":"unknown"}"#), " (module=nope, reason=unknown)");
        assert_eq!(shown(r#"{"a":"","b":"x, c=1","d":["e"],"f":2}"#), r#" (a="", b="x, c=1", d=["e"], f=2)"#);
        assert_eq!(shown(r#"{"path":"a\nb\u001b[2J"}"#), r#" (path="a\nb\u001b[2J")"#);
    }
}
