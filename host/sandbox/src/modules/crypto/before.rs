//! The interface's version 0.1.0, for heaps that were stored with it: a function for each thing.
use wasmtime::component::{WasmList, WasmStr};

use super::super::{Linking, Store};
use super::hashing::{self, Hashed};
use super::{Answer, Derivation, Hkdf, Pbkdf2, Piece, Scrypt, common, derive, encoding, hashed, random, signing};
use crate::limits::host_text_bytes;

pub(super) fn link(crypto: &mut Linking<'_>) -> wasmtime::Result<()> {
    crypto.function("hashes", |_, (): ()| Ok((hashing::NAMES.map(str::to_owned).to_vec(),)))?;
    crypto.function("hash-name", |store, (name,): (WasmStr,)| {
        Ok((hashing::canonical(&name.to_str(&*store)?).map(str::to_owned),))
    })?;
    crypto.function("decode", |store, (text, encoding): (WasmStr, WasmStr)| {
        let max = host_text_bytes(store.data().meter.limits().mem_mb);
        Ok((encoding::decode(&text.to_str(&*store)?, &encoding.to_str(&*store)?, max),))
    })?;
    crypto.function("encode", |store, (bytes, encoding): (WasmList<u8>, WasmStr)| {
        let max = host_text_bytes(store.data().meter.limits().mem_mb);
        Ok((encoding::encode(bytes.as_le_slice(&*store), &encoding.to_str(&*store)?, max),))
    })?;
    type Hashing = (WasmStr, Option<Piece>, WasmList<u8>, Vec<Piece>);
    crypto.function("absorb", |store, (name, key, state, pieces): Hashing| {
        let hashed = hashed(store, &name, key.as_ref(), &state, &pieces)?;
        Ok((hashed.map(|(hashed, _)| hashed.state()),))
    })?;
    crypto.function("digest", |store, (name, key, state, pieces): Hashing| {
        let hashed = hashed(store, &name, key.as_ref(), &state, &pieces)?;
        Ok((hashed.map(|(hashed, key)| hashed.finish(key.as_deref())),))
    })?;
    type HashingText = (WasmStr, Option<Piece>, WasmList<u8>, Vec<Piece>, WasmStr);
    crypto.function("digest-text", |store, (name, key, state, pieces, encoding): HashingText| {
        let hashed = hashed(store, &name, key.as_ref(), &state, &pieces)?;
        let encoding = encoding.to_str(&*store)?;
        let text = |(hashed, key): (Box<dyn Hashed>, Option<Vec<u8>>)| {
            encoding::encode(&hashed.finish(key.as_deref()), &encoding, usize::MAX)
        };
        Ok((hashed.and_then(text),))
    })?;
    crypto.function("random-uuid", |_, (): ()| {
        let mut bytes = [0; 16];
        Ok((random(&mut bytes).map(|()| uuid(bytes)),))
    })?;
    crypto.function(
        "pbkdf2",
        |store, (digest, password, salt, iterations, length): (WasmStr, Piece, Piece, u32, u32)| {
            derived(store, Derivation::Pbkdf2(Pbkdf2 { digest, password, salt, iterations }), length)
        },
    )?;
    crypto.function(
        "scrypt",
        |store, (password, salt, cost, block_size, parallelization, length): (Piece, Piece, u32, u32, u32, u32)| {
            let how = Scrypt { password, salt, cost, block_size, parallelization };
            derived(store, Derivation::Scrypt(how), length)
        },
    )?;
    crypto.function("hkdf", |store, (digest, key, salt, info, length): (WasmStr, Piece, Piece, Piece, u32)| {
        derived(store, Derivation::Hkdf(Hkdf { digest, key, salt, info }), length)
    })?;
    common(crypto)?;
    signing::link_before(crypto)
}

type One<T> = wasmtime::Result<(Answer<T>,)>;

fn derived(store: &mut Store<'_>, how: Derivation, length: u32) -> One<Vec<u8>> {
    Ok((derive(store, &how, length)?,))
}

fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = encoding::hex(&bytes);
    for at in [8, 13, 18, 23] {
        text.insert(at, '-');
    }
    text
}
