// The Web Cryptography API: what Node answers.
// flags: --module crypto
const { webcrypto } = require('crypto'), { subtle } = webcrypto;
const hex = (value) => Array.from(new Uint8Array(value), (byte) => byte.toString(16).padStart(2, '0')).join('');
const show = async (...all) => { for (const f of all) {
  try { const value = await f(); console.log(value instanceof ArrayBuffer || value instanceof Uint8Array ? hex(value) : typeof value === 'object' ? JSON.stringify(value) : String(value)); } catch (e) { console.log(e.name); }
} };
const abc = Uint8Array.from([97, 98, 99]);
(async () => {
await show(() => subtle.digest('SHA-1', abc), () => subtle.digest('sha-256', abc.buffer), () => subtle.digest({ name: 'SHA-384' }, abc), () => subtle.digest('SHA-512', new DataView(abc.buffer, 1)), () => subtle.digest('MD5', abc));
const raw = Uint8Array.from({ length: 32 }, (_, i) => i), hmac = { name: 'HMAC', hash: 'SHA-256' };
const key = await subtle.importKey('raw', raw, hmac, true, ['sign', 'verify']);
raw.fill(0);
const mac = await subtle.sign('HMAC', key, abc);
await show(() => mac, () => subtle.verify('HMAC', key, mac, abc), () => subtle.verify('hmac', key, mac, raw), () => subtle.verify('HMAC', key, abc, abc), () => subtle.exportKey('raw', key));
await show(() => [key.type, key.extractable, key.algorithm.name, key.algorithm.hash.name, key.algorithm.length, key.usages.join()].join(), async () => (await subtle.exportKey('jwk', key)).k);
const sealed = await subtle.importKey('jwk', { kty: 'oct', k: 'AQID' }, { name: 'HMAC', hash: { name: 'SHA-1' } }, false, ['sign']);
await show(() => subtle.sign('HMAC', sealed, abc), () => subtle.exportKey('raw', sealed), () => subtle.verify('HMAC', sealed, mac, abc), () => subtle.sign('Ed25519', sealed, abc));
await show(async () => (await subtle.exportKey('raw', await subtle.generateKey(hmac, true, ['sign']))).byteLength, async () => (await subtle.exportKey('raw', await subtle.generateKey({ ...hmac, length: 128 }, true, ['sign']))).byteLength);
await show(() => subtle.importKey('raw', new Uint8Array(0), hmac, true, ['sign']), () => subtle.importKey('raw', abc, hmac, true, []), () => subtle.importKey('raw', abc, hmac, true, ['encrypt']));

// RFC 8032's second key, and its signature; and a key of P-256 both ways.
const ed = { kty: 'OKP', crv: 'Ed25519', d: 'TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs', x: 'PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw' };
const edSecret = await subtle.importKey('jwk', ed, 'Ed25519', true, ['sign']);
const edPublic = await subtle.importKey('raw', await subtle.exportKey('raw', await subtle.importKey('jwk', { ...ed, d: undefined }, 'Ed25519', true, ['verify'])), { name: 'Ed25519' }, true, ['verify']);
const signature = await subtle.sign('Ed25519', edSecret, Uint8Array.of(0x72));
await show(() => signature, () => subtle.verify('Ed25519', edPublic, signature, Uint8Array.of(0x72)), () => subtle.verify('Ed25519', edPublic, signature, abc), () => subtle.exportKey('pkcs8', edSecret), () => subtle.exportKey('spki', edPublic), () => subtle.exportKey('raw', edPublic));
const p256 = { name: 'ECDSA', namedCurve: 'P-256' }, withHash = (hash) => ({ name: 'ECDSA', hash });
const pair = await subtle.generateKey(p256, true, ['sign', 'verify']);
const again = await subtle.importKey('pkcs8', await subtle.exportKey('pkcs8', pair.privateKey), p256, true, ['sign']);
const point = await subtle.importKey('spki', await subtle.exportKey('spki', pair.publicKey), p256, true, ['verify']);
const jwk = await subtle.exportKey('jwk', again);
const third = await subtle.importKey('jwk', jwk, p256, true, ['sign']);
for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) {
  const made = await subtle.sign(withHash(hash), third, abc);
  await show(() => made.byteLength, () => subtle.verify(withHash(hash), point, made, abc), () => subtle.verify(withHash(hash), point, made, raw), () => subtle.verify(withHash('SHA-256'), point, new Uint8Array(64), abc));
}
await show(() => Object.keys(jwk).sort().join(), () => jwk.d.length + jwk.x.length + jwk.y.length, async () => (await subtle.exportKey('raw', point)).byteLength);
// Made by Node.
const node = { x: 'hbbdEF01y4BFwT7IISCvktjseoHJmXQCbvqIy6pW9Q0', y: 'Jb1SW7r_HK-ABQ6nM3FzPcm4YNRtskm1-Uf2dMYIk5E', kty: 'EC', crv: 'P-256' }, byNode = Uint8Array.from('65c4d3b8d0b603790a725c0de20a4aeff0c13b984204f591e6910addc82a1be98132288c5579876bff3fc5f845696bba21983492853a658db2fce8db93265cef'.match(/../g), (two) => parseInt(two, 16));
const theirs = await subtle.importKey('jwk', node, p256, true, ['verify']);
await show(() => subtle.verify(withHash('SHA-384'), theirs, byNode, abc), () => subtle.exportKey('spki', theirs));
await show(() => subtle.importKey('jwk', { ...jwk, x: jwk.y }, p256, true, ['sign']), () => subtle.importKey('raw', new Uint8Array(65).fill(4), p256, true, ['verify']), () => subtle.importKey('pkcs8', abc, p256, true, ['sign']), () => subtle.importKey('spki', abc, 'Ed25519', true, ['verify']), () => subtle.importKey('raw', abc, { name: 'ECDSA', namedCurve: 'P-1' }, true, ['verify']));
const password = await subtle.importKey('raw', abc, 'PBKDF2', false, ['deriveBits']);
const secret = await subtle.importKey('raw', abc, 'HKDF', false, ['deriveBits']);
await show(() => subtle.deriveBits({ name: 'PBKDF2', salt: abc, iterations: 100, hash: 'SHA-256' }, password, 256), () => subtle.deriveBits({ name: 'HKDF', salt: abc, info: abc, hash: 'SHA-512' }, secret, 128));
console.log(webcrypto.getRandomValues(new Uint32Array(4)).length, webcrypto.randomUUID().length);
})().catch((e) => console.log(e.stack));
// expect: a9993e364706816aba3e25717850c26c9cd0d89d
// expect: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
// expect: cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7
// expect: b90715f60d3937afc424af6f41d37bad66117b9618233a70d3d93aceffd596725e9d7e7e03afc30cea118c2bcaf1ee31f40d7e6e270ca3576cd95a9ffb3e353d
// expect: NotSupportedError
// expect: f0133729c4163dede81e21cd47839256da58171238c8a0d874397c73b14e1e47
// expect: true
// expect: false
// expect: false
// expect: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
// expect: secret,true,HMAC,SHA-256,256,sign,verify
// expect: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8
// expect: 086537d22c1cf6d93ec70de066f763b9f3f77724
// expect: InvalidAccessError
// expect: InvalidAccessError
// expect: InvalidAccessError
// expect: 64
// expect: 16
// expect: DataError
// expect: SyntaxError
// expect: SyntaxError
// expect: 92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00
// expect: true
// expect: false
// expect: 302e020100300506032b6570042204204ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb
// expect: 302a300506032b65700321003d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c
// expect: 3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c
// expect: 64
// expect: true
// expect: false
// expect: false
// expect: 64
// expect: true
// expect: false
// expect: false
// expect: 64
// expect: true
// expect: false
// expect: false
// expect: 64
// expect: true
// expect: false
// expect: false
// expect: crv,d,ext,key_ops,kty,x,y
// expect: 129
// expect: 65
// expect: true
// expect: 3059301306072a8648ce3d020106082a8648ce3d0301070342000485b6dd105d35cb8045c13ec82120af92d8ec7a81c99974026efa88cbaa56f50d25bd525bbaff1caf80050ea73371733dc9b860d46db249b5f947f674c6089391
// expect: DataError
// expect: DataError
// expect: DataError
// expect: DataError
// expect: NotSupportedError
// expect: 1617344a3a00b07d607636466ffe5be5d2f85d84088b89a71cb6951c793a3801
// expect: 2771976a4c9210a5307b6480f3102493
// expect: 4 36
