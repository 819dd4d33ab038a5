//! Hashes by name, and what is made of them.
use digest::Digest;
use digest::common::BlockSizeUser;
use digest::common::hazmat::{SerializableState, SerializedState};
use hkdf::SimpleHkdf;

use super::{Answer, Failure};

/// Iterations of PBKDF2 between two looks at the clock.
const ITERATIONS_BETWEEN: u32 = 1000;

pub(super) const NAMES: [&str; 12] = [
    "md5",
    "sha1",
    "sha224",
    "sha256",
    "sha3-224",
    "sha3-256",
    "sha3-384",
    "sha3-512",
    "sha384",
    "sha512",
    "sha512-224",
    "sha512-256",
];

/// Runs `$body` with `$D` as the hash of that name, which is one of [`NAMES`].
macro_rules! with_hash {
    ($name:expr, $D:ident => $body:expr) => {{
        macro_rules! with {
            ($hash:ty) => {{
                type $D = $hash;
                $body
            }};
        }
        match canonical($name) {
            Some("md5") => with!(md5::Md5),
            Some("sha1") => with!(sha1::Sha1),
            Some("sha224") => with!(sha2::Sha224),
            Some("sha256") => with!(sha2::Sha256),
            Some("sha384") => with!(sha2::Sha384),
            Some("sha512") => with!(sha2::Sha512),
            Some("sha512-224") => with!(sha2::Sha512_224),
            Some("sha512-256") => with!(sha2::Sha512_256),
            Some("sha3-224") => with!(sha3::Sha3_224),
            Some("sha3-256") => with!(sha3::Sha3_256),
            Some("sha3-384") => with!(sha3::Sha3_384),
            Some("sha3-512") => with!(sha3::Sha3_512),
            _ => Err(unknown($name)),
        }
    }};
}

fn unknown(name: &str) -> Failure {
    let name: String = name.chars().take(100).collect();
    Failure::new("ERR_CRYPTO_INVALID_DIGEST", format!("Invalid digest: {name}"))
}

/// The name that a hash is known by: Node takes `SHA256`, `RSA-SHA256`, `sha512/256` too, and browsers `SHA-256`.
pub(super) fn canonical(name: &str) -> Option<&'static str> {
    if name.len() > 20 {
        return None;
    }
    let lower = name.to_ascii_lowercase().replace('/', "-");
    let plain = lower.strip_prefix("rsa-").unwrap_or(&lower);
    let joined = match plain.strip_prefix("sha-") {
        Some(rest) => format!("sha{rest}"),
        None => plain.to_owned(),
    };
    NAMES.into_iter().find(|known| *known == joined)
}

/// A hash that is being made.
pub(super) trait Hashed {
    fn absorb(&mut self, bytes: &[u8]);
    /// What [`begin`] goes on from.
    fn state(&self) -> Vec<u8>;
    /// The hash; with the key that it began with, the HMAC.
    fn finish(self: Box<Self>, key: Option<&[u8]>) -> Vec<u8>;
}

impl<D: Digest + BlockSizeUser + SerializableState> Hashed for D {
    fn absorb(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    fn state(&self) -> Vec<u8> {
        self.serialize().to_vec()
    }

    fn finish(self: Box<Self>, key: Option<&[u8]>) -> Vec<u8> {
        let hash = self.finalize();
        match key {
            None => hash.to_vec(),
            Some(key) => padded::<D>(key, OUTER).chain_update(&hash).finalize().to_vec(),
        }
    }
}

const INNER: u8 = 0x36;
const OUTER: u8 = 0x5c;

/// A hash that has taken in the key of an HMAC. The `hmac` crate has no state that could travel.
fn padded<D: Digest + BlockSizeUser>(key: &[u8], pad: u8) -> D {
    let mut block = vec![pad; D::block_size()];
    let short = if key.len() > block.len() { &*D::digest(key) } else { key };
    for (byte, key) in block.iter_mut().zip(short) {
        *byte ^= key;
    }
    D::new_with_prefix(&block)
}

/// A hash, or an HMAC's inner one, from where `state` left it.
pub(super) fn begin(name: &str, key: Option<&[u8]>, state: &[u8]) -> Answer<Box<dyn Hashed>> {
    with_hash!(name, D => Ok(Box::new(match (state, key) {
        ([], None) => D::new(),
        ([], Some(key)) => padded::<D>(key, INNER),
        (state, _) => go_on::<D>(state)?,
    })))
}

fn go_on<D: SerializableState>(state: &[u8]) -> Answer<D> {
    // It was in the guest's memory: it may be anything.
    let wrong = || Failure::new("ERR_CRYPTO_INVALID_STATE", "this is no state of such a hash");
    let state = SerializedState::<D>::try_from(state).map_err(|_| wrong())?;
    D::deserialize(&state).map_err(|_| wrong())
}

/// HMAC with one key, many times.
pub(super) struct Keyed(Box<dyn Prf>);

trait Prf {
    fn length(&self) -> usize;
    fn mac(&self, parts: &[&[u8]], out: &mut [u8]);
}

impl<D: Digest + Clone> Prf for (D, D) {
    fn length(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn mac(&self, parts: &[&[u8]], out: &mut [u8]) {
        let mut inner = self.0.clone();
        for part in parts {
            inner.update(part);
        }
        out.copy_from_slice(&self.1.clone().chain_update(inner.finalize()).finalize());
    }
}

impl Keyed {
    pub(super) fn new(name: &str, key: &[u8]) -> Answer<Keyed> {
        with_hash!(name, D => Ok(Keyed(Box::new((padded::<D>(key, INNER), padded::<D>(key, OUTER))))))
    }

    /// RFC 8018. Written out because the crate's can't be stopped on its way: `go_on` is asked every so often.
    pub(super) fn pbkdf2(
        &self,
        salt: &[u8],
        iterations: u32,
        length: usize,
        mut go_on: impl FnMut() -> bool,
    ) -> Answer<Vec<u8>> {
        let mut key = vec![0; length];
        let mut u = vec![0; self.0.length()];
        let mut next = u.clone();
        for (block, index) in key.chunks_mut(self.0.length()).zip(1_u32..) {
            self.0.mac(&[salt, &index.to_be_bytes()], &mut u);
            block.copy_from_slice(&u[..block.len()]);
            if !go_on() {
                return Err(Failure::new("ABORT_ERR", "stopped"));
            }
            for round in 1..iterations {
                self.0.mac(&[&u], &mut next);
                std::mem::swap(&mut u, &mut next);
                block.iter_mut().zip(&u).for_each(|(byte, other)| *byte ^= other);
                if round % ITERATIONS_BETWEEN == 0 && !go_on() {
                    return Err(Failure::new("ABORT_ERR", "stopped"));
                }
            }
        }
        Ok(key)
    }
}

pub(super) fn hkdf(name: &str, key: &[u8], salt: &[u8], info: &[u8], length: usize) -> Answer<Vec<u8>> {
    with_hash!(name, D => {
        // Before anything is allocated for it.
        if length > 255 * <D as Digest>::output_size() {
            return Err(Failure::new("ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length"));
        }
        let mut out = vec![0; length];
        let expanded = SimpleHkdf::<D>::new(Some(salt), key).expand(info, &mut out);
        expanded.map(|()| out).map_err(|_| Failure::new("ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length"))
    })
}

/// The hash of this name.
pub(super) fn hash(name: &str, data: &[u8]) -> Answer<Vec<u8>> {
    with_hash!(name, D => Ok(D::digest(data).to_vec()))
}
