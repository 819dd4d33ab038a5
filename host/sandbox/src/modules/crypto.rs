//! `crypto`: hashes, HMAC, key derivation, random numbers, signatures. Stateless: what a hash has come to travels to the guest
//! and back, so nothing here would have to survive the process.
mod before;
mod encoding;
mod hashing;
mod signing;

use wasmtime::component::{ComponentType, Lift, Lower, WasmList, WasmStr};

use self::hashing::{Hashed, Keyed};
use super::{Answer, Facade, Failure, Interface, Linking, Module, NO_GRANT_SCHEMA, NoGrant, Store, Traffic, grant_of};
use crate::limits::{Verdict, host_text_bytes};

/// Longest key that is derived.
const DERIVED_BYTES_MAX: u32 = 1 << 20;
/// Memory that one call of scrypt may take.
const SCRYPT_BYTES_MAX: u64 = 64 << 20;
/// Blocks that one call of scrypt may mix: half a second of a slow machine. It can't be stopped on its way.
const SCRYPT_WORK_MAX: u64 = 1 << 20;
/// Bytes that one call of scrypt may hash before and after it mixes: every 32 bytes of its blocks take the whole salt, and
/// every 32 bytes of the key take all of its blocks. Half a second as well, and it can't be stopped there either.
const SCRYPT_HASHED_BYTES_MAX: u64 = 128 << 20;
/// Longest `info` of HKDF, which is hashed once for each block of the key; as in Node, whose facade says it first.
const HKDF_INFO_BYTES_MAX: usize = 1024;

pub(super) static MODULE: Module = Module {
    name: "crypto",
    version: "0.2.0",
    docs: "Hashes, HMAC, key derivation, random numbers and signatures, as in Node; `subtle` as in browsers.",
    interface: Some(Interface {
        name: "vm:crypto/crypto@0.2.0",
        wit: include_str!("../../../../wit/crypto/crypto.wit"),
        link,
    }),
    before: &[("vm:crypto/crypto@0.1.0", before::link)],
    facade: Some(Facade {
        source: concat!(include_str!("checks.js"), include_str!("crypto.js"), include_str!("crypto/subtle.js")),
        types: include_str!("crypto.d.ts"),
    }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[
        (
            "derived_bytes_max",
            DERIVED_BYTES_MAX as u64,
            "a longer key of pbkdf2 or scrypt is refused with ERR_OUT_OF_RANGE",
        ),
        (
            "scrypt_memory_bytes_max",
            SCRYPT_BYTES_MAX,
            "128 * r * (N + p) beyond is refused with ERR_CRYPTO_INVALID_SCRYPT_PARAMS",
        ),
        ("scrypt_work_max", SCRYPT_WORK_MAX, "N * r * p beyond is refused with ERR_CRYPTO_INVALID_SCRYPT_PARAMS"),
        (
            "scrypt_hashed_bytes_max",
            SCRYPT_HASHED_BYTES_MAX,
            "4 * r * p * (salt's length + keylen) beyond is refused with ERR_CRYPTO_INVALID_SCRYPT_PARAMS",
        ),
    ],
    ..Module::BASE
};

/// What is hashed, in the guest's memory.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Piece {
    #[component(name = "text")]
    Text(WasmStr),
    #[component(name = "bytes")]
    Bytes(WasmList<u8>),
}

impl Piece {
    /// Hands the bytes on, without a copy where text is UTF-8 already.
    fn with<T>(&self, store: &Store<'_>, f: impl FnOnce(&[u8]) -> T) -> wasmtime::Result<T> {
        Ok(match self {
            Piece::Text(text) => f(text.to_str(store)?.as_bytes()),
            Piece::Bytes(bytes) => f(bytes.as_le_slice(store)),
        })
    }

    fn to_vec(&self, store: &Store<'_>) -> wasmtime::Result<Vec<u8>> {
        self.with(store, <[u8]>::to_vec)
    }
}

impl Traffic for Piece {
    fn bytes(&self, store: &Store<'_>) -> usize {
        match self {
            Piece::Text(text) => text.bytes(store),
            Piece::Bytes(bytes) => bytes.len(),
        }
    }
}

impl Traffic for Vec<Piece> {
    fn bytes(&self, store: &Store<'_>) -> usize {
        self.iter().map(|piece| piece.bytes(store)).sum()
    }
}

/// A secret and its point.
#[derive(ComponentType, Lower)]
#[component(record)]
struct KeyPair {
    secret: Vec<u8>,
    point: Vec<u8>,
}

impl Traffic for KeyPair {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.secret.len() + self.point.len()
    }
}

/// Bytes that are made, or the text that they are.
#[derive(Clone, ComponentType, Lower)]
#[component(variant)]
enum Made {
    #[component(name = "text")]
    Text(String),
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
}

impl Traffic for Made {
    fn bytes(&self, _: &Store<'_>) -> usize {
        match self {
            Made::Text(text) => text.len(),
            Made::Bytes(bytes) => bytes.len(),
        }
    }
}

/// What is asked of a hash: its state, or what it comes to, as bytes or as text in an encoding.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Wanted {
    #[component(name = "state")]
    State,
    #[component(name = "bytes")]
    Bytes,
    #[component(name = "text")]
    Text(WasmStr),
}

impl Traffic for Wanted {
    fn bytes(&self, store: &Store<'_>) -> usize {
        if let Wanted::Text(encoding) = self { encoding.bytes(store) } else { 0 }
    }

    fn verb(&self) -> Option<&'static str> {
        Some(match self {
            Wanted::State => "absorb",
            Wanted::Bytes => "digest",
            Wanted::Text(_) => "digest-text",
        })
    }
}

/// How a key is derived, of what.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Derivation {
    #[component(name = "pbkdf2")]
    Pbkdf2(Pbkdf2),
    #[component(name = "scrypt")]
    Scrypt(Scrypt),
    #[component(name = "hkdf")]
    Hkdf(Hkdf),
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Pbkdf2 {
    digest: WasmStr,
    password: Piece,
    salt: Piece,
    iterations: u32,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Scrypt {
    password: Piece,
    salt: Piece,
    cost: u32,
    #[component(name = "block-size")]
    block_size: u32,
    parallelization: u32,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Hkdf {
    digest: WasmStr,
    key: Piece,
    salt: Piece,
    info: Piece,
}

impl Traffic for Derivation {
    fn bytes(&self, store: &Store<'_>) -> usize {
        match self {
            Derivation::Pbkdf2(Pbkdf2 { digest, password, salt, .. }) => {
                digest.bytes(store) + password.bytes(store) + salt.bytes(store)
            }
            Derivation::Scrypt(Scrypt { password, salt, .. }) => password.bytes(store) + salt.bytes(store),
            Derivation::Hkdf(Hkdf { digest, key, salt, info }) => {
                digest.bytes(store) + key.bytes(store) + salt.bytes(store) + info.bytes(store)
            }
        }
    }

    fn subject(&self, store: &Store<'_>) -> Option<String> {
        match self {
            Derivation::Pbkdf2(Pbkdf2 { digest, .. }) | Derivation::Hkdf(Hkdf { digest, .. }) => digest.subject(store),
            Derivation::Scrypt(_) => None,
        }
    }

    fn verb(&self) -> Option<&'static str> {
        Some(match self {
            Derivation::Pbkdf2(_) => "pbkdf2",
            Derivation::Scrypt(_) => "scrypt",
            Derivation::Hkdf(_) => "hkdf",
        })
    }
}

fn link(crypto: &mut Linking<'_>) -> wasmtime::Result<()> {
    crypto.function("hashes", |store, (named,): (Option<WasmStr>,)| {
        let named = named.map(|name| name.to_str(&*store)).transpose()?;
        let names = match named {
            Some(name) => hashing::canonical(&name).into_iter().map(str::to_owned).collect(),
            None => hashing::NAMES.map(str::to_owned).to_vec(),
        };
        Ok((names,))
    })?;
    type Hashing = (WasmStr, Option<Piece>, WasmList<u8>, Vec<Piece>, Wanted);
    crypto.function("hash", |store, (name, key, state, pieces, wanted): Hashing| {
        let hashed = hashed(store, &name, key.as_ref(), &state, &pieces)?;
        let encoding = match &wanted {
            Wanted::Text(encoding) => encoding.to_str(&*store)?,
            _ => "".into(),
        };
        let answer = |(hashed, key): (Box<dyn Hashed>, Option<Vec<u8>>)| match wanted {
            Wanted::State => Ok(Made::Bytes(hashed.state())),
            Wanted::Bytes => Ok(Made::Bytes(hashed.finish(key.as_deref()))),
            Wanted::Text(_) => encoding::encode(&hashed.finish(key.as_deref()), &encoding, usize::MAX).map(Made::Text),
        };
        Ok((hashed.and_then(answer),))
    })?;
    crypto.function("recode", |store, (data, encoding): (Piece, WasmStr)| {
        let max = host_text_bytes(store.data().meter.limits().mem_mb);
        let encoding = encoding.to_str(&*store)?;
        Ok((match data {
            Piece::Text(text) => encoding::decode(&text.to_str(&*store)?, &encoding, max).map(Made::Bytes),
            Piece::Bytes(bytes) => encoding::encode(bytes.as_le_slice(&*store), &encoding, max).map(Made::Text),
        },))
    })?;
    crypto.function("derive", |store, (how, length): (Derivation, u32)| Ok((derive(store, &how, length)?,)))?;
    common(crypto)?;
    signing::link(crypto)
}

/// What the versions of the interface have in common.
fn common(crypto: &mut Linking<'_>) -> wasmtime::Result<()> {
    crypto.function("random-bytes", |store, (size,): (u32,)| {
        let max = host_text_bytes(store.data().meter.limits().mem_mb);
        if size as usize > max {
            return Ok((Err(out_of_range("size", &format!("<= {max} in this session"), size)),));
        }
        let mut bytes = vec![0; size as usize];
        Ok((random(&mut bytes).map(|()| bytes),))
    })?;
    crypto.function("equal", |store, (a, b): (WasmList<u8>, WasmList<u8>)| {
        Ok((signing::equal(a.as_le_slice(&*store), b.as_le_slice(&*store)),))
    })?;
    signing::common(crypto)
}

fn derive(store: &mut Store<'_>, how: &Derivation, length: u32) -> wasmtime::Result<Answer<Vec<u8>>> {
    Ok(match how {
        Derivation::Pbkdf2(Pbkdf2 { digest, password, salt, iterations }) => {
            let digest = digest.to_str(&*store)?.into_owned();
            let (password, salt) = (password.to_vec(store)?, salt.to_vec(store)?);
            if *iterations == 0 {
                return Ok(Err(out_of_range("iterations", ">= 1", *iterations)));
            }
            if length > DERIVED_BYTES_MAX {
                return Ok(Err(out_of_range("keylen", &format!("<= {DERIVED_BYTES_MAX}"), length)));
            }
            Keyed::new(&digest, &password).and_then(|keyed| {
                // Any number of iterations: the script's own clock is asked on the way.
                keyed.pbkdf2(&salt, *iterations, length as usize, || store.data_mut().meter.poll() == Verdict::Go)
            })
        }
        Derivation::Scrypt(Scrypt { password, salt, cost, block_size, parallelization }) => {
            scrypt(&password.to_vec(store)?, &salt.to_vec(store)?, *cost, *block_size, *parallelization, length)
        }
        Derivation::Hkdf(Hkdf { digest, key, salt, info }) => {
            let (key, salt, info) = (key.to_vec(store)?, salt.to_vec(store)?, info.to_vec(store)?);
            if info.len() > HKDF_INFO_BYTES_MAX {
                let received = u32::try_from(info.len()).unwrap_or(u32::MAX);
                return Ok(Err(out_of_range("info", &format!("<= {HKDF_INFO_BYTES_MAX}"), received)));
            }
            hashing::hkdf(&digest.to_str(&*store)?, &key, &salt, &info, length as usize)
        }
    })
}

/// A hash after these pieces, and the key when it is an HMAC.
#[expect(clippy::type_complexity, reason = "said once")]
fn hashed(
    store: &mut Store<'_>,
    name: &WasmStr,
    key: Option<&Piece>,
    state: &WasmList<u8>,
    pieces: &[Piece],
) -> wasmtime::Result<Answer<(Box<dyn Hashed>, Option<Vec<u8>>)>> {
    let key = key.map(|key| key.to_vec(store)).transpose()?;
    let begun = hashing::begin(&name.to_str(&*store)?, key.as_deref(), state.as_le_slice(&*store));
    let mut hashed = match begun {
        Ok(hashed) => hashed,
        Err(failure) => return Ok(Err(failure)),
    };
    for piece in pieces {
        piece.with(store, |bytes| hashed.absorb(bytes))?;
    }
    Ok(Ok((hashed, key)))
}

fn random(bytes: &mut [u8]) -> Answer<()> {
    getrandom::fill(bytes).map_err(|error| Failure::new("ERR_CRYPTO_OPERATION_FAILED", error.to_string()))
}

/// As Node says it.
fn out_of_range(name: &str, range: &str, received: u32) -> Failure {
    let message = format!("The value of \"{name}\" is out of range. It must be {range}. Received {received}");
    Failure::new("ERR_OUT_OF_RANGE", message)
}

fn scrypt(password: &[u8], salt: &[u8], n: u32, r: u32, p: u32, length: u32) -> Answer<Vec<u8>> {
    let wrong = |why: &str| Failure::new("ERR_CRYPTO_INVALID_SCRYPT_PARAMS", format!("Invalid scrypt params{why}"));
    if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
        return Err(wrong(""));
    }
    if length > DERIVED_BYTES_MAX {
        return Err(out_of_range("keylen", &format!("<= {DERIVED_BYTES_MAX}"), length));
    }
    let (n, r, p) = (u64::from(n), u64::from(r), u64::from(p));
    // Each of them is below 2^32: only the products need care.
    if r.saturating_mul(n + p).saturating_mul(128) > SCRYPT_BYTES_MAX + 128 * r {
        return Err(wrong(&format!(": memory limit exceeded: 128 * r * (N + p) may be {SCRYPT_BYTES_MAX} bytes here")));
    }
    if n.saturating_mul(r).saturating_mul(p) > SCRYPT_WORK_MAX {
        return Err(wrong(&format!(": N * r * p may be {SCRYPT_WORK_MAX} here")));
    }
    // PBKDF2 of one iteration on either side: hours, where only the mixing is bounded.
    let blocks = r.saturating_mul(p).saturating_mul(4);
    if blocks.saturating_mul(salt.len() as u64 + u64::from(length)) > SCRYPT_HASHED_BYTES_MAX {
        let what = "4 * r * p * (the salt's length + keylen)";
        return Err(wrong(&format!(": work limit exceeded: {what} may be {SCRYPT_HASHED_BYTES_MAX} here")));
    }
    let params = scrypt::Params::new(n.trailing_zeros() as u8, r as u32, p as u32).map_err(|_| wrong(""))?;
    let mut key = vec![0; length as usize];
    if length > 0 {
        scrypt::scrypt(password, salt, &params, &mut key).map_err(|_| wrong(""))?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrypt_hashes_no_more_than_it_may() {
        let code = |salt: usize, n, r, p, length| scrypt(b"p", &vec![0; salt], n, r, p, length).err().map(|e| e.code);
        let refused = Some("ERR_CRYPTO_INVALID_SCRYPT_PARAMS".to_owned());
        // Little to mix, and hours of hashing: many blocks for a long key, and many blocks of a long salt.
        assert_eq!(code(1, 2, 1, 500_000, DERIVED_BYTES_MAX), refused);
        assert_eq!(code(1 << 20, 2, 1, 500_000, 64), refused);
        assert_eq!(code(16, 2, 8, 1, DERIVED_BYTES_MAX), None);
        assert_eq!(code(16, 1024, 8, 1, 64), None);
    }
}
