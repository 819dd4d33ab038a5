//! `--allow-exec`.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Programs of this machine that scripts may start.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Programs {
    /// Program that the module `exec` may start, by its absolute path or as NAME=PATH; repeat for more. Sessions can do
    /// whatever it can do as the user that this runs as [default: none]
    #[arg(long = "allow-exec", value_name = "PROGRAM", value_parser = program)]
    allowed: Vec<(String, PathBuf)>,
}

impl Programs {
    /// By the names that scripts use.
    pub fn by_name(&self) -> BTreeMap<String, PathBuf> {
        self.allowed.iter().cloned().collect()
    }
}

fn program(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (name.to_owned(), Path::new(path)),
        None => {
            let path = Path::new(text);
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path)
        }
    };
    if name.is_empty() || name.contains('/') || !path.is_absolute() {
        return Err("a program is an absolute path, or NAME=PATH with one; a name has no slash".to_owned());
    }
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    Ok((name, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_absolute_paths_and_a_name() {
        assert_eq!(program("/bin/sh").unwrap().0, "sh");
        assert_eq!(program("x=/bin/sh").unwrap(), ("x".to_owned(), PathBuf::from("/bin/sh")));
        for wrong in ["sh", "x=sh", "=/bin/sh", "a/b=/bin/sh", "/bin", "/bin/no-such-program", ""] {
            assert!(program(wrong).is_err(), "{wrong}");
        }
    }
}
