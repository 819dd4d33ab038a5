//! Which directories sessions may be given, and opening them.
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use model::ErrorCode;
use sandbox::Root;

use crate::fault::Fault;

/// What the operator allows as worktrees.
#[derive(Clone)]
pub struct Worktrees(Arc<Inner>);

struct Inner {
    /// Open handles of `--worktree-root`, with the paths they were named by. None: any directory.
    roots: Vec<(PathBuf, Root)>,
    /// The server's own files and directories, which no session sees, canonical.
    own: Vec<PathBuf>,
}

/// Why the operator's directories don't do.
#[derive(Debug, thiserror::Error)]
pub enum WorktreesError {
    /// It can't be opened.
    #[error("--worktree-root {path}: {source}")]
    Open {
        /// It.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Scripts could read and write what the server lives by.
    #[error("--worktree-root {root} holds the server's own {own}: put one of them elsewhere")]
    HoldsOwn {
        /// The root.
        root: PathBuf,
        /// The database or the data directory.
        own: PathBuf,
    },
}

impl Worktrees {
    /// Opens the operator's roots. `own` are the server's own files and directories, there or not.
    pub fn open_roots(roots: &[PathBuf], own: &[PathBuf]) -> Result<Worktrees, WorktreesError> {
        let own: Vec<PathBuf> = own.iter().map(|path| real(path)).collect();
        let open = |path: &PathBuf| {
            let error = |source| WorktreesError::Open { path: path.clone(), source };
            let root = Root::open(path).map_err(error)?;
            if let Some(own) = own.iter().find(|own| root.holds(own)) {
                return Err(WorktreesError::HoldsOwn { root: path.clone(), own: own.clone() });
            }
            Ok((std::path::absolute(path).map_err(error)?, root))
        };
        let roots = roots.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Worktrees(Arc::new(Inner { roots, own })))
    }

    /// Opens a directory that sessions may have. Blocks.
    pub fn open(&self, path: &str) -> Result<Root, Fault> {
        self.0.open(Path::new(path)).map_err(|refused| refused.with("worktree_path", path))
    }
}

/// What can be said of a worktree's path without looking.
pub fn check(path: &str) -> Result<(), Fault> {
    if !Path::new(path).is_absolute() {
        return Err(Fault::validation("worktree_path must be absolute"));
    }
    Ok(())
}

impl Inner {
    fn open(&self, path: &Path) -> Result<Root, Fault> {
        let missing = |_| Fault::new(ErrorCode::WorktreeNotFound, "worktree_path is no directory that can be opened");
        let outside = || Fault::new(ErrorCode::InvalidPath, "Path escapes allowed worktree");
        let root = if self.roots.is_empty() {
            Root::open(path).map_err(missing)?
        } else {
            let beneath = |(named, root): &(PathBuf, Root)| {
                let relative = path.strip_prefix(named).or_else(|_| path.strip_prefix(root.path())).ok()?;
                let upwards = relative.components().any(|part| part == Component::ParentDir);
                (!upwards).then(|| (root.clone(), relative.to_owned()))
            };
            let (root, relative) = self.roots.iter().find_map(beneath).ok_or_else(outside)?;
            root.directory(&relative).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => outside(),
                _ => missing(error),
            })?
        };
        if self.own.iter().any(|own| root.path().starts_with(own)) {
            return Err(outside());
        }
        // A project's directory is often the server's working directory as well.
        root.hiding(&self.own).map_err(missing)
    }
}

/// The canonical path of something that may not exist yet: of its nearest directory that does, and the rest.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        #[expect(clippy::disallowed_methods, reason = "the server's own paths, only compared")]
        if let Ok(real) = existing.canonicalize() {
            return missing.iter().rev().fold(real, |path, name| path.join(name));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name);
                existing = parent;
            }
            _ => return absolute,
        }
    }
}
