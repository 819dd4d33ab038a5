//! TEMPORARY, replaced by the library branch.
use std::io;
use std::path::PathBuf;

use model::LibraryName;

pub struct Libraries {
    dir: PathBuf,
}

impl Libraries {
    pub fn new(dir: PathBuf) -> Self {
        Libraries { dir }
    }

    pub fn resolve(&self, name: &LibraryName) -> io::Result<Option<sandbox::Library>> {
        match std::fs::read_to_string(self.dir.join(format!("{name}.js"))) {
            Ok(source) => Ok(Some(sandbox::Library { name: name.to_string(), source: source.into() })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}
