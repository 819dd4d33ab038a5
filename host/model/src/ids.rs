//! Identifiers: one type per kind of thing, so that a session's id can't be passed where a template's belongs.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is no UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a valid UUID")]
pub struct IdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes what clients send: trimmed, in any case, with or without dashes; nothing else that a UUID
            /// library may know (no braces, no `urn:uuid:`).
            pub fn parse(raw: &str) -> Result<Self, IdError> {
                parse(raw).map($name)
            }

            /// The UUID in itself, for storage.
            pub fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                $name(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    )* };
}

ids! {
    /// Who owns a row. Every table has one, every method of the store takes one.
    TenantId,
    /// A template.
    TemplateId,
    /// A session.
    SessionId,
    /// An execution.
    ExecutionId,
    /// A startup file of a template.
    StartupFileId,
    /// A capability of a template.
    CapabilityId,
    /// A checkpoint of a session's heap.
    CheckpointId,
}

impl TenantId {
    /// The tenant of a server without tenants.
    pub const DEFAULT: TenantId = TenantId(Uuid::nil());
}

fn parse(raw: &str) -> Result<Uuid, IdError> {
    let text = raw.trim();
    match text.len() {
        32 | 36 => Uuid::try_parse(text).map_err(|_| IdError),
        _ => Err(IdError),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_no_plain_uuid() {
        for raw in [
            "",
            "x",
            "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
            "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
            "6ba7b8109dad-11d1-80b4-00c04fd430c8",
            "{6ba7b8109dad11d180b400c04fd430}",
        ] {
            assert_eq!(SessionId::parse(raw), Err(IdError), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn every_spelling_gives_the_canonical_one(bits: u128, upper: bool, dashes: bool, pad in "[ \t\n]{0,3}") {
            let uuid = Uuid::from_u128(bits);
            let mut text = if dashes { uuid.hyphenated().to_string() } else { uuid.simple().to_string() };
            if upper {
                text.make_ascii_uppercase();
            }
            let id = SessionId::parse(&format!("{pad}{text}{pad}")).unwrap();
            prop_assert_eq!(id.to_string(), uuid.hyphenated().to_string());
            prop_assert_eq!(SessionId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn no_text_panics(raw in ".{0,40}") {
            let _ = ExecutionId::parse(&raw);
        }
    }
}
