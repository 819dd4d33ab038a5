//! What images are made of, on the disk: beside each artifact, which one version of the compiler made for itself, the
//! component that it was made from. Any version compiles that again, and what it gives has the very same memory, on which
//! stored heaps build.
use super::Header;
use super::disk::Disk;
use crate::snapshot::decompress;

/// Least compression: what it takes is a small part of what compiling does.
const LEVEL: i32 = 1;
/// Largest component that is unpacked, bytes: all the memory that building one may use, and the guest.
pub(super) const RAW_BYTES_MAX: usize = 320 << 20;
/// A header that is shown, bytes at most. Most are a small part of it.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// A component as it is stored.
pub(crate) struct Compressed {
    bytes: Vec<u8>,
    /// Of what was compressed.
    pub(super) digest: u64,
}

/// Tells components apart whose content hashes are the same, since what libraries do when they are evaluated may depend on
/// the time of day.
fn digest(wasm: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(wasm).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

impl Compressed {
    /// What was compressed elsewhere, of `wasm`.
    pub(super) fn of(bytes: Vec<u8>, wasm: &[u8]) -> Compressed {
        Compressed { bytes, digest: digest(wasm) }
    }
}

pub(super) fn compress(wasm: &[u8]) -> std::io::Result<Compressed> {
    Ok(Compressed { bytes: zstd::bulk::compress(wasm, LEVEL)?, digest: digest(wasm) })
}

/// Keeps a component. False: another process built the same meanwhile, and its component counts.
pub(super) fn save_component(
    disk: &Disk,
    hash: &str,
    header: &Header,
    component: &Compressed,
) -> std::io::Result<bool> {
    disk.store_component(hash, &join(header, &component.bytes)?)
}

/// The component of an image as it is stored, if it is there and whole.
pub(super) fn compressed(disk: &Disk, hash: &str) -> Option<(Header, Vec<u8>)> {
    let payload = disk.component(hash)?;
    let (header, body) = split(&payload)?;
    Some((header, body.to_vec()))
}

/// The component of an image, if it is there and whole.
pub(super) fn component(disk: &Disk, hash: &str) -> Option<(Header, Vec<u8>)> {
    let payload = disk.component(hash)?;
    let (header, body) = split(&payload)?;
    Some((header, decompress(body, RAW_BYTES_MAX)?))
}

/// The header of an image, as far as the unchecked file is one.
pub(super) fn peek(disk: &Disk, hash: &str) -> Option<Header> {
    split(&disk.peek(hash, HEADER_BYTES_MAX)?).map(|(header, _)| header)
}

/// A header, and what it is about.
pub(super) fn join(header: &Header, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let header = serde_json::to_vec(header)?;
    let mut payload = Vec::with_capacity(8 + header.len() + body.len());
    payload.extend((header.len() as u64).to_le_bytes());
    payload.extend(header);
    payload.extend(body);
    Ok(payload)
}

pub(super) fn split(payload: &[u8]) -> Option<(Header, &[u8])> {
    let (len, rest) = payload.split_first_chunk::<8>()?;
    let (header, body) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
    Some((serde_json::from_slice(header).ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Engine, Error, Origin, Recipe, Setup};

    /// What other versions left may be anything; it is refused before anything of it runs.
    #[test]
    fn an_image_of_other_interfaces_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data_dir: dir.path().to_owned(), sessions_max: 2, ..Config::default() };
        let engine = Engine::new(config).unwrap();
        let hash = engine.image_hash(&Recipe::default()).unwrap();
        let disk = Disk::open(dir.path()).unwrap();
        let (header, wasm) = component(&disk, &hash).unwrap();
        assert_eq!(digest(&wasm), header.digest);
        let mut names = ('a'..='f').map(|letter| letter.to_string().repeat(64));
        let mut stored = |change: &dyn Fn(&mut Header), wasm: &[u8]| {
            let (name, mut header) = (names.next().unwrap(), header.clone());
            header.engine = "another".to_owned();
            change(&mut header);
            assert!(save_component(&disk, &name, &header, &compress(wasm).unwrap()).unwrap());
            engine.image_again(&name, &[])
        };
        let same = stored(&|_| (), &wasm).unwrap();
        assert_eq!((same.origin(), same.digest()), (Origin::Recompiled, header.digest));
        let old = |names: &mut Vec<String>| names.iter_mut().for_each(|name| *name = name.replace("0.1.0", "0.0.9"));
        for (what, answer) in [
            ("imports", stored(&|header| old(&mut header.facts.imports), &wasm)),
            ("exports", stored(&|header| old(&mut header.facts.exports), &wasm)),
            ("nothing exported", stored(&|_| (), b"\0asm\x0d\0\x01\0")),
            ("no component", stored(&|_| (), b"something else")),
        ] {
            assert!(matches!(answer, Err(Error::ImageGone(_))), "{what}: {answer:?}");
        }
        assert!(matches!(engine.image_again(&"0".repeat(64), &[]), Err(Error::ImageGone(_))));
        let unknown = [model::ModuleName::parse("absent").unwrap()];
        assert!(matches!(engine.image_again(&hash, &unknown), Err(Error::ImageGone(_))));
    }

    /// What is stored of a session is worth nothing without its image.
    #[test]
    fn a_durable_session_wants_its_image_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("data");
        let engine = Engine::new(Config { data_dir: place.clone(), sessions_max: 2, ..Config::default() }).unwrap();
        std::fs::remove_dir_all(&place).unwrap();
        let recipe = Recipe { modules: vec![model::ModuleName::parse("kv").unwrap()], libraries: Vec::new() };
        let image = engine.image(&recipe).unwrap();
        drop(image.start(Setup::default()).unwrap());
        let durable = || image.start(Setup { durable: true, ..Setup::default() });
        assert!(matches!(durable(), Err(Error::NotKept(_))));
        std::fs::create_dir(&place).unwrap();
        drop(durable().unwrap());
        assert!(place.join(format!("{}.component", image.hash())).exists());
        drop(durable().unwrap());
    }
}
