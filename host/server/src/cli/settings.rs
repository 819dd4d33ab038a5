//! What holds for every command: flags, then the environment, then the configuration file, then the defaults.
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;

use super::local::usage;
use super::{Flags, Globals};

/// The server that client commands talk to unless told otherwise: where `serve` listens.
const SERVER_URL: &str = "http://127.0.0.1:3210";
/// Largest configuration file that is read.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Shape of what client commands print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// For people, and for scripts that read lines.
    #[default]
    Table,
    /// The server's JSON, indented by 2.
    Json,
}

/// The configuration file.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    server_url: Option<String>,
    output: Option<Output>,
}

impl ConfigFile {
    /// Reads the file at `named`, which must exist then, or the user's own, which need not.
    pub fn load(named: Option<&Path>) -> anyhow::Result<ConfigFile> {
        match (named, own()) {
            (Some(path), _) => ConfigFile::read(path)
                .map_err(|e| usage(format!("cannot read the configuration file {}: {e}", path.display())))?
                .parsed(path),
            (None, Some(path)) => match ConfigFile::read(&path) {
                Ok(text) => text.parsed(&path),
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    Ok(ConfigFile::default())
                }
                Err(e) => Err(usage(format!("cannot read the configuration file {}: {e}", path.display()))),
            },
            (None, None) => Ok(ConfigFile::default()),
        }
    }

    fn read(path: &Path) -> io::Result<Text> {
        let mut text = String::new();
        File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > CONFIG_BYTES_MAX {
            return Err(io::Error::other("larger than 1 MiB"));
        }
        Ok(Text(text))
    }
}

struct Text(String);

impl Text {
    /// The error quotes the line, and names an unknown key as well as those that there are.
    fn parsed(&self, path: &Path) -> anyhow::Result<ConfigFile> {
        toml::from_str(&self.0)
            .map_err(|e| usage(format!("the configuration file {}: {}", path.display(), e.to_string().trim_end())))
    }
}

/// Where the user's own file is: `$XDG_CONFIG_HOME/vm-system/config.toml`, else beneath `~/.config`.
fn own() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    let directory = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")))?;
    Some(directory.join("vm-system").join("config.toml"))
}

impl Globals {
    /// What the flags and their variables leave open is the file's to say.
    pub(super) fn new(flags: Flags, file: ConfigFile) -> Globals {
        let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Globals {
            db: flags.db,
            data_dir: flags.data_dir,
            server_url: said(flags.server_url).or(said(file.server_url)).unwrap_or_else(|| SERVER_URL.to_owned()),
            output: flags.output.or(file.output).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<ConfigFile, String> {
        Text(text.to_owned()).parsed(Path::new("c.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_file_has_known_keys_only() {
        let file = parsed("server_url = \"http://h:1\"\noutput = \"json\" # so\n").unwrap();
        assert_eq!(file, ConfigFile { server_url: Some("http://h:1".to_owned()), output: Some(Output::Json) });
        assert_eq!(parsed("").unwrap(), ConfigFile::default());
        let unknown = parsed("output = \"json\"\nserverurl = 1\n").unwrap_err();
        assert!(unknown.contains("c.toml") && unknown.contains("`serverurl`"), "{unknown}");
        assert!(unknown.contains("`server_url`") && unknown.contains("`output`"), "{unknown}");
        for wrong in ["output = \"xml\"", "server_url = 3", "output", "[server_url]"] {
            assert!(parsed(wrong).unwrap_err().starts_with("the configuration file c.toml: "), "{wrong}");
        }
    }
}
