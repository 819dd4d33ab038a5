//! The component of an image: WebAssembly with everything evaluated in it, which another installation compiles for itself.
//! Compiled code never leaves an installation, and never comes from elsewhere.
use std::sync::Arc;

use super::build::Builder;
use super::{Header, Image, stored};
use crate::error::Error;
use crate::modules::Module;
use crate::snapshot::decompress;

/// Largest component as it is carried, bytes.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;

/// An image as it goes to another installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portable {
    /// What is to be known of it besides, JSON.
    pub header: String,
    /// Its component, compressed.
    pub component: Vec<u8>,
}

/// Why there is no image of a component from elsewhere.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ForeignError {
    /// It is nothing that this version can run. The text is for clients.
    #[error("{0}")]
    Unusable(Arc<str>),
    /// Something else failed.
    #[error(transparent)]
    Other(#[from] Error),
}

impl ForeignError {
    fn unusable(why: impl std::fmt::Display) -> ForeignError {
        ForeignError::Unusable(format!("{why:#}").chars().take(500).collect::<String>().into())
    }
}

impl Builder {
    /// An image's component, as the data directory has it. None: it is not there.
    pub(crate) fn portable(&self, image: &Image) -> Result<Option<Portable>, Error> {
        let Some((header, component)) = stored::compressed(&self.disk, image.hash()) else { return Ok(None) };
        if header.digest != image.digest() {
            return Ok(None);
        }
        if component.len() > COMPONENT_BYTES_MAX {
            return Err(Error::internal("carrying an image", "its component is too large"));
        }
        let header = serde_json::to_string(&header).map_err(|error| Error::internal("an image", error))?;
        Ok(Some(Portable { header, component }))
    }

    /// What a component from elsewhere is called here. Never as an image that is built here from a recipe: only who brought it
    /// runs on it.
    pub(crate) fn foreign_hash(portable: &Portable, modules: &[&'static Module]) -> String {
        let mut hash = blake3::Hasher::new_derive_key("vm-system 2026-11 images from elsewhere");
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        };
        modules.iter().for_each(|module| part(module.name.as_bytes()));
        part(portable.header.as_bytes());
        part(&portable.component);
        hash.finalize().to_hex().to_string()
    }

    /// Compiles a component from elsewhere. The caller vouches for where it comes from; what it can reach is decided here all the
    /// same: it is linked with these modules and nothing else.
    pub(crate) fn foreign(
        &self,
        hash: &str,
        portable: &Portable,
        modules: &[&'static Module],
    ) -> Result<Image, ForeignError> {
        let header: Header = serde_json::from_str(&portable.header).map_err(ForeignError::unusable)?;
        let raw = decompress(&portable.component, stored::RAW_BYTES_MAX);
        let raw = raw.ok_or_else(|| ForeignError::unusable("its component can't be unpacked"))?;
        let component = stored::Compressed::of(portable.component.clone(), &raw);
        if component.digest != header.digest {
            return Err(ForeignError::unusable("its component is another than its header says"));
        }
        let image = self.compiled(hash, header.clone(), &raw, modules).map_err(ForeignError::unusable)?;
        // Only what can be run is kept.
        let kept = stored::save_component(&self.disk, hash, &header, &component);
        kept.map_err(|error| Error::internal("keeping an image from elsewhere", error))?;
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use model::ModuleName;

    use super::*;
    use crate::{Config, Engine, Library, Recipe};

    fn engine(dir: &std::path::Path) -> Engine {
        Engine::new(Config { data_dir: dir.to_owned(), sessions_max: 4, ..Config::default() }).unwrap()
    }

    #[test]
    fn a_component_runs_where_it_was_not_built_and_reaches_what_is_linked_there() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (engine(here.path()), engine(there.path()));
        let modules: Vec<ModuleName> = vec![ModuleName::parse("kv").unwrap()];
        let recipe = Recipe { modules: modules.clone(), libraries: vec![Library::new("lib", "globalThis.lib = 7")] };
        let image = from.image(&recipe).unwrap();
        let portable = from.portable(&image).unwrap().unwrap();

        let arrived = to.foreign_image(&portable, &modules).unwrap();
        assert_ne!(arrived.hash(), image.hash());
        assert!(Arc::ptr_eq(&to.foreign_image(&portable, &modules).unwrap(), &arrived));
        arrived.start(crate::Setup::default()).unwrap();
        assert!(to.stored_image(arrived.hash(), &[]).unwrap().is_none(), "it is linked with what it has");
        // From there it goes on, also after a restart, and the libraries' texts are not needed.
        let hash = arrived.hash().to_owned();
        drop((arrived, to));
        let to = engine(there.path());
        let arrived = to.stored_image(&hash, &modules).unwrap().unwrap();
        assert_eq!(to.portable(&arrived).unwrap().unwrap().component, portable.component);

        // What it imports is not there, or it is nothing at all.
        let refused = |portable: &Portable, modules: &[ModuleName]| {
            matches!(to.foreign_image(portable, modules), Err(ForeignError::Unusable(_)))
        };
        assert!(refused(&portable, &[]));
        assert!(refused(&Portable { header: "{}".into(), ..portable.clone() }, &modules));
        for component in [Vec::new(), b"(component)".to_vec(), crate::snapshot::compress(b"(component)").unwrap()] {
            assert!(refused(&Portable { component, ..portable.clone() }, &modules));
        }
    }
}
