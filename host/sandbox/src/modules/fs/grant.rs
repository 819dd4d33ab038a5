//! What a template may say about files.
use std::path::{Component, PathBuf};

use serde::Deserialize;

pub(super) const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "access": { "enum": ["read-write", "read-only"], "default": "read-write", "description": "The most that is allowed anywhere." },
    "roots": {
      "type": "array", "maxItems": 64,
      "description": "Directories of the worktree that are granted, and nothing else; without it, all of it is.",
      "items": {
        "type": "object", "required": ["path"], "additionalProperties": false,
        "properties": {
          "path": { "type": "string", "description": "Relative to the worktree, without `..`." },
          "access": { "enum": ["read-write", "read-only"], "default": "read-write" }
        }
      }
    },
    "quota_kb": { "type": "integer", "minimum": 0, "description": "KiB that one session may write, all in all." },
    "files_max": { "type": "integer", "minimum": 0, "description": "Files, directories and links that one session may make." }
  },
  "additionalProperties": false
}"#;

/// Areas that a grant may name.
const ROOTS_MAX: usize = 64;

/// What a template's entry may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Grant {
    pub(super) access: Access,
    #[serde(deserialize_with = "areas")]
    pub(super) roots: Option<Vec<Area>>,
    pub(super) quota_kb: Option<u64>,
    pub(super) files_max: Option<u64>,
}

/// What may be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Access {
    #[default]
    ReadWrite,
    ReadOnly,
}

/// A directory that is granted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Area {
    #[serde(deserialize_with = "beneath")]
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) access: Access,
}

fn areas<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Area>>, D::Error> {
    let areas = Vec::<Area>::deserialize(deserializer)?;
    if areas.len() > ROOTS_MAX {
        return Err(serde::de::Error::custom(format!("roots: more than {ROOTS_MAX}")));
    }
    for (at, area) in areas.iter().enumerate() {
        if areas[..at].iter().any(|before| before.path == area.path) {
            return Err(serde::de::Error::custom(format!("roots: '{}' is there twice", area.path.display())));
        }
    }
    Ok(Some(areas))
}

fn beneath<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut path = PathBuf::new();
    for part in PathBuf::from(&text).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            _ => return Err(serde::de::Error::custom(format!("path: '{text}' is not beneath the worktree"))),
        }
    }
    if text.is_empty() || text.contains('\0') {
        return Err(serde::de::Error::custom("path: it is empty, or has a NUL byte"));
    }
    Ok(path)
}
