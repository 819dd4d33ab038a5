//! A session as a file (`.vmsnap`): what it is made of, its heap, and the component of its image.
//!
//! All of it is signed, with a key that the operator shares between servers. Before the signature fits nothing is read but the
//! lengths; what comes after is trusted no more than a template is: see [`crate::transfer`].
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use model::TemplateId;
use sandbox::{COMPONENT_BYTES_MAX, Portable, carried_bytes_max};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::recipes::Made;

/// The last byte is the version of the layout.
const MAGIC: [u8; 8] = *b"vmsnap\0\x01";
const MAC_LEN: usize = blake3::OUT_LEN;
/// Lengths of the three parts that follow, bytes, little-endian.
const LENGTHS_LEN: usize = 3 * 8;
const PREFIX_LEN: usize = MAGIC.len() + MAC_LEN + LENGTHS_LEN;
/// Text of what a session is made of, bytes: grants of all modules, names of all that libraries export.
const ABOUT_BYTES_MAX: usize = 16 << 20;
/// A secret is so long, bytes: what no one guesses, and no file taken by mistake.
const SECRET_BYTES_MIN: usize = 32;
const SECRET_BYTES_MAX: usize = 4_096;

/// What an operator's servers sign exported sessions with.
#[derive(Clone)]
pub struct ShareKey {
    key: Arc<[u8; blake3::KEY_LEN]>,
    path: PathBuf,
}

impl std::fmt::Debug for ShareKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShareKey")
    }
}

impl ShareKey {
    /// Of a file's bytes, all of them. The text says what is wrong with it.
    pub fn read(path: &Path) -> Result<ShareKey, String> {
        let mut file = File::open(path).map_err(|error| error.to_string())?;
        let mode = file.metadata().map_err(|error| error.to_string())?.mode();
        if mode & 0o077 != 0 {
            return Err(format!("others can read or change it (mode {:03o}): chmod 600", mode & 0o777));
        }
        let mut secret = Vec::new();
        let limit = SECRET_BYTES_MAX as u64 + 1;
        file.by_ref().take(limit).read_to_end(&mut secret).map_err(|error| error.to_string())?;
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(format!("it must have {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes: openssl rand 32 > FILE"));
        }
        Ok(ShareKey { key: Arc::new(Self::derive(&secret)), path: path.to_owned() })
    }

    /// Where it was read from: no session sees that file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn derive(secret: &[u8]) -> [u8; blake3::KEY_LEN] {
        blake3::derive_key("vm-system 2026-11 exported sessions", secret)
    }

    fn mac(&self, lengths: &[u8; LENGTHS_LEN], parts: &[&[u8]]) -> blake3::Hash {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        mac.update(&MAGIC).update(lengths);
        for part in parts {
            mac.update(part);
        }
        mac.finalize()
    }
}

/// What is said of an exported session beside its heap.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    pub(crate) made: Made,
    /// The template that it was made from where it comes from.
    pub(crate) template: TemplateId,
    pub(crate) workspace_id: String,
    pub(crate) base_commit_oid: String,
    /// It has a worktree; which directory that is, is a matter of each machine.
    pub(crate) worktree: bool,
    /// Executions that have ended in it.
    pub(crate) seq: u64,
    /// What is to be known of its image besides the component.
    image: Box<RawValue>,
}

/// An exported session, whole.
#[derive(Debug)]
pub(crate) struct SessionFile {
    pub(crate) about: About,
    /// Its image, for servers that have another one.
    pub(crate) portable: Portable,
    /// As the engine carries it.
    pub(crate) heap: Vec<u8>,
}

/// Why a file is not taken, in words for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it is no session file of this version of vm-system")]
    Foreign,
    #[error("it is cut short, or something was added to it")]
    Length,
    #[error("its signature does not fit: another key, or it was changed")]
    Signature,
    #[error("it says what this version does not know")]
    Unreadable,
}

/// Largest file of a session of so many MiB.
pub(crate) fn bytes_max(mem_mb: u32) -> usize {
    PREFIX_LEN + ABOUT_BYTES_MAX + COMPONENT_BYTES_MAX + carried_bytes_max(mem_mb)
}

impl About {
    /// `image`: what [`Portable`] says of it.
    pub(crate) fn with_image(self, image: String) -> serde_json::Result<About> {
        Ok(About { image: RawValue::from_string(image)?, ..self })
    }

    /// Without an image, which comes last.
    pub(crate) fn of(made: Made, row: &model::Session, seq: u64) -> About {
        About {
            made,
            template: row.vm_id,
            workspace_id: row.workspace_id.clone(),
            base_commit_oid: row.base_commit_oid.clone(),
            worktree: !row.worktree_path.is_empty(),
            seq,
            image: RawValue::NULL.to_owned(),
        }
    }
}

/// A signed file, in pieces. None: what there is to say of it is too long.
pub(crate) fn write(
    key: &ShareKey,
    about: &About,
    component: Vec<u8>,
    heap: Vec<u8>,
) -> serde_json::Result<Option<Vec<Bytes>>> {
    let about = serde_json::to_vec(about)?;
    if about.len() > ABOUT_BYTES_MAX {
        return Ok(None);
    }
    let mut lengths = [0; LENGTHS_LEN];
    for (place, len) in lengths.chunks_exact_mut(8).zip([about.len(), component.len(), heap.len()]) {
        place.copy_from_slice(&(len as u64).to_le_bytes());
    }
    let mac = key.mac(&lengths, &[&about, &component, &heap]);
    let prefix = [&MAGIC[..], mac.as_bytes(), &lengths].concat();
    Ok(Some([prefix, about, component, heap].map(Bytes::from).to_vec()))
}

/// A file, if it is whole and its signature fits.
pub(crate) fn read(key: &ShareKey, mut bytes: Vec<u8>) -> Result<SessionFile, Refused> {
    let (magic, rest) = bytes.split_first_chunk::<{ MAGIC.len() }>().ok_or(Refused::Foreign)?;
    if *magic != MAGIC {
        return Err(Refused::Foreign);
    }
    let (mac, rest) = rest.split_first_chunk::<MAC_LEN>().ok_or(Refused::Length)?;
    let (lengths, rest) = rest.split_first_chunk::<LENGTHS_LEN>().ok_or(Refused::Length)?;
    let mut each = lengths.chunks_exact(8).map(|len| {
        let len = len.try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX);
        usize::try_from(len).unwrap_or(usize::MAX)
    });
    let (about, component, heap) = (each.next(), each.next(), each.next());
    let (Some(about), Some(component), Some(heap)) = (about, component, heap) else { return Err(Refused::Length) };
    let whole = about.checked_add(component).and_then(|sum| sum.checked_add(heap));
    if whole != Some(rest.len()) || about > ABOUT_BYTES_MAX || component > COMPONENT_BYTES_MAX {
        return Err(Refused::Length);
    }
    // blake3::Hash compares in constant time.
    if blake3::Hash::from_bytes(*mac) != key.mac(lengths, &[rest]) {
        return Err(Refused::Signature);
    }
    let heap = bytes.split_off(PREFIX_LEN + about + component);
    let component = bytes.split_off(PREFIX_LEN + about);
    let about: About = serde_json::from_slice(&bytes[PREFIX_LEN..]).map_err(|_| Refused::Unreadable)?;
    // It names a file.
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash(&about.made.image) {
        return Err(Refused::Unreadable);
    }
    let portable = Portable { header: about.image.get().to_owned(), component };
    Ok(SessionFile { about, portable, heap })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use model::Settings;
    use proptest::prelude::*;

    use super::*;

    fn key(secret: u8) -> ShareKey {
        ShareKey { key: Arc::new(ShareKey::derive(&[secret; 32])), path: PathBuf::new() }
    }

    fn about(image: &str) -> About {
        let made = Made {
            image: image.to_owned(),
            modules: Vec::new(),
            grants: Vec::new(),
            libraries: Vec::new(),
            settings: Settings::default(),
        };
        About {
            made,
            template: uuid::Uuid::from_u128(7).into(),
            workspace_id: "w".to_owned(),
            base_commit_oid: "0".to_owned(),
            worktree: true,
            seq: 3,
            image: RawValue::from_string(r#"{"facts":1}"#.to_owned()).unwrap(),
        }
    }

    fn file(component: &[u8], heap: &[u8]) -> Vec<u8> {
        write(&key(1), &about(&"0a".repeat(32)), component.to_vec(), heap.to_vec()).unwrap().unwrap().concat()
    }

    /// Signed, whatever it says.
    fn signed(about: &[u8]) -> Vec<u8> {
        let mut lengths = [0; LENGTHS_LEN];
        lengths[..8].copy_from_slice(&(about.len() as u64).to_le_bytes());
        [&MAGIC[..], key(1).mac(&lengths, &[about]).as_bytes(), &lengths, about].concat()
    }

    #[test]
    fn a_file_is_taken_whole_or_not_at_all() {
        let good = file(b"component", b"heap");
        let read_back = read(&key(1), good.clone()).unwrap();
        assert_eq!((read_back.about.seq, read_back.about.worktree), (3, true));
        assert_eq!((&read_back.portable.component[..], &read_back.heap[..]), (&b"component"[..], &b"heap"[..]));
        assert_eq!(read_back.portable.header, r#"{"facts":1}"#);
        assert_eq!(read(&key(2), good.clone()).unwrap_err(), Refused::Signature);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(read(&key(1), bad).is_err(), "byte {at}, bit {bit}");
            }
            assert!(read(&key(1), good[..at].to_vec()).is_err(), "{at} bytes");
        }
        for more in [&b"\0"[..], &good] {
            assert_eq!(read(&key(1), [&good[..], more].concat()).unwrap_err(), Refused::Length);
        }
        // Bytes that moved from one part to the next.
        let mut moved = good;
        let lengths = MAGIC.len() + MAC_LEN;
        moved[lengths + 8] -= 1;
        moved[lengths + 16] += 1;
        assert_eq!(read(&key(1), moved).unwrap_err(), Refused::Signature);
    }

    #[test]
    fn what_is_signed_is_not_therefore_sound() {
        for bad in ["", "..", "../../x", &"0A".repeat(32), &"0".repeat(63), &format!("{}\0", "0".repeat(63))] {
            let file = write(&key(1), &about(bad), Vec::new(), Vec::new()).unwrap().unwrap().concat();
            assert_eq!(read(&key(1), file).unwrap_err(), Refused::Unreadable, "{bad:?}");
        }
        for bad in [&b""[..], b"null", b"{}", b"\xff", &b"[".repeat(100_000)] {
            assert_eq!(read(&key(1), signed(bad)).unwrap_err(), Refused::Unreadable);
        }
    }

    proptest! {
        #[test]
        fn anything_is_refused_without_harm(bytes: Vec<u8>, begins: bool) {
            let bytes = if begins { [&MAGIC[..], &bytes].concat() } else { bytes };
            prop_assert!(read(&key(1), bytes).is_err());
        }

        #[test]
        fn signed_text_is_read_or_refused(text in "\\PC{0,40}", json in r#"\{("[a-z]{1,5}":[0-9]{1,3},?){0,4}\}"#) {
            prop_assert!(read(&key(1), signed(text.as_bytes())).is_err());
            prop_assert!(read(&key(1), signed(json.as_bytes())).is_err());
        }

        #[test]
        fn every_file_that_is_written_is_read(component: Vec<u8>, heap: Vec<u8>) {
            let read = read(&key(1), file(&component, &heap)).unwrap();
            prop_assert_eq!((read.portable.component, read.heap), (component, heap));
        }

        #[test]
        fn lengths_allocate_nothing(lengths: [u64; 3], rest: Vec<u8>) {
            let lengths = lengths.map(u64::to_le_bytes).concat();
            let bytes = [&MAGIC[..], &[0; MAC_LEN], &lengths, &rest].concat();
            prop_assert!(read(&key(1), bytes).is_err());
        }
    }

    #[test]
    fn a_key_is_long_and_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let write = |bytes: &[u8], mode| {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            ShareKey::read(&path)
        };
        assert!(write(&[7; 32], 0o600).is_ok() && write(&[7; 4_096], 0o400).is_ok());
        for mode in [0o640, 0o604, 0o620, 0o601] {
            assert!(write(&[7; 32], mode).unwrap_err().contains("chmod 600"), "{mode:o}");
        }
        for len in [0, 31, 4_097] {
            assert!(write(&vec![7; len], 0o600).unwrap_err().contains("32 to 4096 bytes"), "{len}");
        }
        assert!(ShareKey::read(&dir.path().join("none")).is_err());
        assert!(!format!("{:?}", write(&[7; 32], 0o600).unwrap()).contains('7'));
    }
}
