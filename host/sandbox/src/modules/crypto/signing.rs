//! Signatures: ECDSA on P-256, and Ed25519.
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ed25519_dalek::{Signer as _, SigningKey as EdKey, VerifyingKey as EdPoint};
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use wasmtime::component::{ComponentType, Lift, WasmList, WasmStr};

use super::super::{Answer, Failure, Linking, Traffic};
use super::{KeyPair, hashing, random};

/// What stands before 32 bytes of Ed25519 in PKCS #8 and in SubjectPublicKeyInfo (RFC 8410).
const ED_SECRET: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const ED_PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

enum Curve {
    P256,
    Ed25519,
}

impl Curve {
    fn named(name: &str) -> Answer<Curve> {
        match name {
            "P-256" => Ok(Curve::P256),
            "Ed25519" => Ok(Curve::Ed25519),
            _ => Err(Failure::new("ERR_CRYPTO_INVALID_CURVE", "Invalid EC curve name: there are P-256 and Ed25519")),
        }
    }
}

fn invalid<E>(_: E) -> Failure {
    Failure::new("ERR_CRYPTO_INVALID_KEY", "Invalid key")
}

fn ed_secret(secret: &[u8]) -> Answer<EdKey> {
    secret.try_into().map(|secret| EdKey::from_bytes(&secret)).map_err(invalid)
}

fn ed_point(point: &[u8]) -> Answer<EdPoint> {
    EdPoint::from_bytes(&point.try_into().map_err(invalid)?).map_err(invalid)
}

/// Whether both are the same, in a time that depends on their lengths alone.
pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && std::hint::black_box(a.iter().zip(b).fold(0, |all, (a, b)| all | std::hint::black_box(a ^ b))) == 0
}

fn pair_of_p256(key: &SigningKey) -> KeyPair {
    let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
    KeyPair { secret: key.to_bytes().to_vec(), point }
}

fn pair_of_ed(key: &EdKey) -> KeyPair {
    KeyPair { secret: key.to_bytes().to_vec(), point: key.verifying_key().to_bytes().to_vec() }
}

fn generate(curve: &Curve) -> Answer<KeyPair> {
    let mut secret = [0; 32];
    loop {
        random(&mut secret)?;
        match curve {
            Curve::Ed25519 => return Ok(pair_of_ed(&EdKey::from_bytes(&secret))),
            // Of 2^32 numbers all but one are below the order.
            Curve::P256 => match SigningKey::from_slice(&secret) {
                Ok(key) => return Ok(pair_of_p256(&key)),
                Err(_) => continue,
            },
        }
    }
}

fn secret_key(curve: &Curve, secret: &[u8]) -> Answer<KeyPair> {
    match curve {
        Curve::P256 if secret.len() == 32 => Ok(pair_of_p256(&SigningKey::from_slice(secret).map_err(invalid)?)),
        Curve::P256 => Ok(pair_of_p256(&SigningKey::from_pkcs8_der(secret).map_err(invalid)?)),
        Curve::Ed25519 if secret.len() == 32 => Ok(pair_of_ed(&ed_secret(secret)?)),
        Curve::Ed25519 => Ok(pair_of_ed(&EdKey::from_pkcs8_der(secret).map_err(invalid)?)),
    }
}

fn public_key(curve: &Curve, key: &[u8]) -> Answer<Vec<u8>> {
    match curve {
        Curve::P256 => {
            let sec1 = matches!((key.first(), key.len()), (Some(4), 65) | (Some(2 | 3), 33));
            let key = if sec1 {
                VerifyingKey::from_sec1_bytes(key).map_err(invalid)?
            } else {
                VerifyingKey::from_public_key_der(key).map_err(invalid)?
            };
            Ok(key.to_sec1_point(false).as_bytes().to_vec())
        }
        Curve::Ed25519 if key.len() == 32 => Ok(ed_point(key)?.to_bytes().to_vec()),
        Curve::Ed25519 => Ok(EdPoint::from_public_key_der(key).map_err(invalid)?.to_bytes().to_vec()),
    }
}

fn sign(curve: &Curve, digest: &str, secret: &[u8], data: &[u8]) -> Answer<Vec<u8>> {
    match curve {
        Curve::P256 => {
            let key = SigningKey::from_slice(secret).map_err(invalid)?;
            let signature: Signature = key.sign_prehash(&hashing::hash(digest, data)?).map_err(invalid)?;
            Ok(signature.to_bytes().to_vec())
        }
        Curve::Ed25519 => Ok(ed_secret(secret)?.sign(data).to_bytes().to_vec()),
    }
}

fn verify(curve: &Curve, digest: &str, point: &[u8], signature: &[u8], data: &[u8]) -> Answer<bool> {
    match curve {
        Curve::P256 => {
            let key = VerifyingKey::from_sec1_bytes(point).map_err(invalid)?;
            let hash = hashing::hash(digest, data)?;
            Ok(Signature::from_slice(signature).is_ok_and(|signature| key.verify_prehash(&hash, &signature).is_ok()))
        }
        Curve::Ed25519 => {
            let key = ed_point(point)?;
            let signature = ed25519_dalek::Signature::from_slice(signature);
            Ok(signature.is_ok_and(|signature| key.verify_strict(data, &signature).is_ok()))
        }
    }
}

fn secret_der(curve: &Curve, secret: &[u8]) -> Answer<Vec<u8>> {
    match curve {
        Curve::P256 => {
            let key = SigningKey::from_slice(secret).map_err(invalid)?;
            Ok(key.to_pkcs8_der().map_err(invalid)?.as_bytes().to_vec())
        }
        Curve::Ed25519 => Ok([&ED_SECRET, &ed_secret(secret)?.to_bytes()[..]].concat()),
    }
}

fn public_der(curve: &Curve, point: &[u8]) -> Answer<Vec<u8>> {
    match curve {
        Curve::P256 => {
            let key = VerifyingKey::from_sec1_bytes(point).map_err(invalid)?;
            Ok(key.to_public_key_der().map_err(invalid)?.as_bytes().to_vec())
        }
        Curve::Ed25519 => Ok([&ED_PUBLIC, &ed_point(point)?.to_bytes()[..]].concat()),
    }
}

/// What a key is wanted as.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[expect(dead_code, reason = "made by lifting what the guest passes")]
#[repr(u8)]
enum KeyForm {
    #[component(name = "point")]
    Point,
    #[component(name = "public-der")]
    PublicDer,
    #[component(name = "secret-der")]
    SecretDer,
}

impl Traffic for KeyForm {
    fn verb(&self) -> Option<&'static str> {
        Some(match self {
            KeyForm::Point => "public-key",
            KeyForm::PublicDer => "public-der",
            KeyForm::SecretDer => "secret-der",
        })
    }
}

type Convert = fn(&Curve, &[u8]) -> Answer<Vec<u8>>;

pub(super) fn link(crypto: &mut Linking<'_>) -> wasmtime::Result<()> {
    crypto.function("pair-of", |store, (curve, secret): (WasmStr, Option<WasmList<u8>>)| {
        let curve = Curve::named(&curve.to_str(&*store)?);
        Ok((curve.and_then(|curve| match &secret {
            Some(secret) => secret_key(&curve, secret.as_le_slice(&*store)),
            None => generate(&curve),
        }),))
    })?;
    crypto.function("convert-key", |store, (curve, key, to): (WasmStr, WasmList<u8>, KeyForm)| {
        let convert: Convert = match to {
            KeyForm::Point => public_key,
            KeyForm::PublicDer => public_der,
            KeyForm::SecretDer => secret_der,
        };
        let key = key.as_le_slice(&*store);
        Ok((Curve::named(&curve.to_str(&*store)?).and_then(|curve| convert(&curve, key)),))
    })
}

/// What version 0.1.0 had in their place.
pub(super) fn link_before(crypto: &mut Linking<'_>) -> wasmtime::Result<()> {
    type Key = (WasmStr, WasmList<u8>);
    crypto.function("generate-key", |store, (curve,): (WasmStr,)| {
        Ok((Curve::named(&curve.to_str(&*store)?).and_then(|curve| generate(&curve)),))
    })?;
    crypto.function("secret-key", |store, (curve, key): Key| {
        let key = key.as_le_slice(&*store);
        Ok((Curve::named(&curve.to_str(&*store)?).and_then(|curve| secret_key(&curve, key)),))
    })?;
    let bytes: [(&'static str, Convert); 3] =
        [("public-key", public_key), ("secret-der", secret_der), ("public-der", public_der)];
    for (name, convert) in bytes {
        crypto.function(name, move |store, (curve, key): Key| {
            let key = key.as_le_slice(&*store);
            Ok((Curve::named(&curve.to_str(&*store)?).and_then(|curve| convert(&curve, key)),))
        })?;
    }
    Ok(())
}

/// What the versions of the interface have in common.
pub(super) fn common(crypto: &mut Linking<'_>) -> wasmtime::Result<()> {
    crypto.function(
        "sign",
        |store, (curve, digest, secret, data): (WasmStr, WasmStr, WasmList<u8>, WasmList<u8>)| {
            let (secret, data) = (secret.as_le_slice(&*store), data.as_le_slice(&*store));
            let digest = digest.to_str(&*store)?;
            Ok((Curve::named(&curve.to_str(&*store)?).and_then(|curve| sign(&curve, &digest, secret, data)),))
        },
    )?;
    type Verify = (WasmStr, WasmStr, WasmList<u8>, WasmList<u8>, WasmList<u8>);
    crypto.function("verify", |store, (curve, digest, point, signature, data): Verify| {
        let (point, data) = (point.as_le_slice(&*store), data.as_le_slice(&*store));
        let (digest, signature) = (digest.to_str(&*store)?, signature.as_le_slice(&*store));
        let curve = Curve::named(&curve.to_str(&*store)?);
        Ok((curve.and_then(|curve| verify(&curve, &digest, point, signature, data)),))
    })
}
