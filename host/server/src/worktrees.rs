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
    /// The server's own directory, which nobody is given.
    data_dir: PathBuf,
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
    /// Opens the operator's roots. `own` are the server's own files and directories.
    pub fn open_roots(roots: &[PathBuf], data_dir: &Path, own: &[&Path]) -> Result<Worktrees, WorktreesError> {
        let open = |path: &PathBuf| {
            let error = |source| WorktreesError::Open { path: path.clone(), source };
            let root = Root::open(path).map_err(error)?;
            let holds = |own: &&&Path| clean(own).is_some_and(|own| root.holds(&own));
            if let Some(own) = own.iter().find(holds) {
                return Err(WorktreesError::HoldsOwn { root: path.clone(), own: own.to_path_buf() });
            }
            Ok((std::path::absolute(path).map_err(error)?, root))
        };
        let roots = roots.iter().map(open).collect::<Result<_, _>>()?;
        let data_dir = clean(data_dir).unwrap_or_else(|| data_dir.to_owned());
        Ok(Worktrees(Arc::new(Inner { roots, data_dir })))
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
        if root.path().starts_with(&self.data_dir) {
            return Err(outside());
        }
        Ok(root)
    }
}

/// The canonical path of something that may not exist yet.
fn clean(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let (parent, name) = (absolute.parent()?, absolute.file_name()?);
    #[expect(clippy::disallowed_methods, reason = "the server's own paths, only compared")]
    let existing = absolute.canonicalize().or_else(|_| parent.canonicalize().map(|parent| parent.join(name)));
    existing.ok()
}
