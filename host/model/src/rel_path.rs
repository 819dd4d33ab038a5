//! Paths beneath a worktree, checked once.
use std::fmt;

/// A relative path, lexically clean: no `.`, no `..`, no doubled slash, at least one component. That it leads to a file
/// beneath the worktree only the open directory can say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelPath(String);

/// Why a text is no such path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelPathError {
    /// Blank, or the worktree itself.
    #[error("path names no file")]
    Blank,
    /// Absolute, or it leads out of the worktree.
    #[error("path leads out of the worktree")]
    Outside,
    /// Longer than [`RelPath::LEN_MAX`] bytes, or with a NUL byte.
    #[error("path is longer than 4096 bytes or has a NUL byte")]
    Malformed,
}

impl RelPath {
    /// Longest path, bytes.
    pub const LEN_MAX: usize = 4_096;

    /// Cleans and checks `raw`: `a/./b//../c` is `a/c`.
    pub fn parse(raw: &str) -> Result<RelPath, RelPathError> {
        if raw.len() > Self::LEN_MAX || raw.contains('\0') {
            return Err(RelPathError::Malformed);
        }
        if raw.starts_with('/') {
            return Err(RelPathError::Outside);
        }
        if raw.trim().is_empty() {
            return Err(RelPathError::Blank);
        }
        let mut clean: Vec<&str> = Vec::new();
        for part in raw.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(clean.pop().ok_or(RelPathError::Outside)?),
                part => clean.push(part),
            }
        }
        let clean = clean.join("/");
        // Blanks alone name no file, however they are dressed.
        if clean.trim().is_empty() { Err(RelPathError::Blank) } else { Ok(RelPath(clean)) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cleans_and_refuses() {
        for (raw, clean) in [("a.js", "a.js"), ("./a//b/../c.js", "a/c.js"), ("..a/b..", "..a/b.."), (" a", " a")] {
            assert_eq!(RelPath::parse(raw).map(|p| p.to_string()), Ok(clean.to_owned()), "{raw}");
        }
        for (raw, error) in [
            ("", RelPathError::Blank),
            ("  ", RelPathError::Blank),
            ("./ ", RelPathError::Blank),
            (".", RelPathError::Blank),
            ("a/..", RelPathError::Blank),
            ("/", RelPathError::Outside),
            ("/etc/passwd", RelPathError::Outside),
            ("..", RelPathError::Outside),
            ("a/../../b", RelPathError::Outside),
            ("a\0", RelPathError::Malformed),
            (&"x".repeat(4_097), RelPathError::Malformed),
        ] {
            assert_eq!(RelPath::parse(raw), Err(error), "{raw}");
        }
        assert!(RelPath::parse(&"x".repeat(4_096)).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_clean_stays_inside_and_stays_clean(raw in "[a./\\x00 ]{0,12}") {
            if let Ok(path) = RelPath::parse(&raw) {
                prop_assert!(path.as_str().split('/').all(|part| !["", ".", ".."].contains(&part)));
                prop_assert_eq!(RelPath::parse(path.as_str()), Ok(path.clone()));
            }
        }
    }
}
