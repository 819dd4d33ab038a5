// Both sides of every bound, callbacks, promises, and what a hostile script tries.
// flags: --module crypto
// within-ms: 20000
const c = require('node:crypto');
const show = (...all) => { for (const f of all) {
  try { const value = f(); console.log(value?.length ?? value); } catch (e) { console.log(e.name, e.code, e.message); }
} };
console.log(c.randomBytes(16).length, new Set(Array.from({ length: 500 }, () => c.randomUUID())).size); // expect: 16 500
console.log(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(c.randomUUID())); // expect: true
const numbers = Array.from({ length: 2000 }, () => c.randomInt(-3, 4));
console.log([...new Set(numbers)].sort((a, b) => a - b).join()); // expect: -3,-2,-1,0,1,2,3
console.log(c.randomInt(0, 2 ** 48 - 1) < 2 ** 48, c.randomFillSync(new Uint8Array(9), 3, 3).filter((b, i) => b !== 0 && (i < 3 || i > 5)).length); // expect: true 0
const filled = c.randomFillSync(new Uint32Array(64));
console.log(filled instanceof Uint32Array, filled.some((n) => n > 65535)); // expect: true true
show(() => c.randomInt(0, 2 ** 48), () => c.randomFillSync(new Uint8Array(2), 3), () => c.randomFillSync(new Uint8Array(2), 1, 2), () => c.randomFillSync([]), () => c.getRandomValues(new Float64Array(1)), () => c.getRandomValues(new Uint8Array(65536)), () => c.getRandomValues(new Uint8Array(65537)), () => c.randomUUID('x'));
// expect: RangeError ERR_OUT_OF_RANGE The value of "max" is out of range. It must be <= 281474976710655. Received 281_474_976_710_656
// expect: RangeError ERR_OUT_OF_RANGE The value of "offset" is out of range. It must be >= 0 && <= 2. Received 3
// expect: RangeError ERR_OUT_OF_RANGE The value of "size + offset" is out of range. It must be <= 2. Received 3
// expect: TypeError ERR_INVALID_ARG_TYPE The "buf" argument must be an instance of ArrayBuffer, Buffer, TypedArray, or DataView. Received an instance of Array
// expect: TypeError ERR_INVALID_ARG_TYPE The data argument must be an integer-type TypedArray
// expect: 65536
// expect: QuotaExceededError 22 The requested length exceeds 65,536 bytes
// expect: TypeError ERR_INVALID_ARG_TYPE The "options" argument must be of type object. Received type string ('x')
show(() => c.createHash('nope'), () => c.createHash(''), () => c.createHash('x'.repeat(1e6)), () => c.createHash('sha256', { outputLength: 5 }), () => c.getHashes().join(' '), () => c.getHashes().map((name) => c.createHash(name).digest('hex')).length);
// expect: Error ERR_CRYPTO_INVALID_DIGEST Digest method not supported
// expect: Error ERR_CRYPTO_INVALID_DIGEST Digest method not supported
// expect: Error ERR_CRYPTO_INVALID_DIGEST Digest method not supported
// expect: Error ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH not XOF or invalid length
// expect: 94
// expect: 12

// Bounds, just inside and just outside.
show(() => c.pbkdf2Sync('p', 's', 1, 2 ** 20, 'sha1'), () => c.pbkdf2Sync('p', 's', 1, 2 ** 20 + 1, 'sha1'), () => c.scryptSync('p', 's', 2 ** 20, { N: 2 }), () => c.scryptSync('p', 's', 2 ** 20 + 1, { N: 2 }));
// expect: 1048576
// expect: RangeError ERR_OUT_OF_RANGE The value of "keylen" is out of range. It must be <= 1048576. Received 1048577
// expect: 1048576
// expect: RangeError ERR_OUT_OF_RANGE The value of "keylen" is out of range. It must be <= 1048576. Received 1048577
const maxmem = Number.MAX_SAFE_INTEGER;
show(() => c.scryptSync('p', 's', 8, { N: 65536, maxmem }), () => c.scryptSync('p', 's', 8, { N: 131072, maxmem }), () => c.scryptSync('p', 's', 8, { N: 16384, p: 9, maxmem }), () => c.scryptSync('p', 's', 8, { N: 4294967295, r: 4294967295, p: 4294967295, maxmem }), () => c.scryptSync('p', 's', 8, { N: 2 ** 31, maxmem }), () => c.scryptSync('p', 's', 8, { N: 32768 }));
// expect: 8
// expect: RangeError ERR_CRYPTO_INVALID_SCRYPT_PARAMS Invalid scrypt params: memory limit exceeded: 128 * r * (N + p) may be 67108864 bytes here
// expect: RangeError ERR_CRYPTO_INVALID_SCRYPT_PARAMS Invalid scrypt params: N * r * p may be 1048576 here
// expect: RangeError ERR_CRYPTO_INVALID_SCRYPT_PARAMS Invalid scrypt params: memory limit exceeded
// expect: RangeError ERR_CRYPTO_INVALID_SCRYPT_PARAMS Invalid scrypt params: memory limit exceeded: 128 * r * (N + p) may be 67108864 bytes here
// expect: RangeError ERR_CRYPTO_INVALID_SCRYPT_PARAMS Invalid scrypt params: memory limit exceeded
show(() => c.randomBytes(1 << 20), () => { try { c.randomBytes(2147483647); } catch (e) { return e.code; } });
// expect: 1048576
// expect: 16

// Node's callbacks, and promises without one.
const called = (f, ...given) => new Promise((resolve) => f(...given, (error, value) => resolve(error ?? value)));
console.log((await called(c.pbkdf2, 'p', 's', 1, 4, 'sha1')).join(), (await c.pbkdf2('p', 's', 1, 4, 'sha1')).join()); // expect: 132,60,135,231 132,60,135,231
console.log((await called(c.scrypt, 'p', 's', 4)).length, (await called(c.scrypt, 'p', 's', 4, { N: 2 })).length, (await c.scrypt('p', 's', 4)).length); // expect: 4 4 4
console.log((await called(c.hkdf, 'md5', '', '', '', 3)).byteLength, (await c.hkdf('md5', '', '', '', 3)).byteLength, (await called(c.randomBytes, 5)).length); // expect: 3 3 5
console.log(await called(c.randomInt, 0, 1), (await called(c.randomFill, new Uint8Array(3))).length); // expect: 0 3
show(() => c.pbkdf2('p', 's', 0, 4, 'sha1'), () => c.randomBytes(1, 'x')); // expect: RangeError ERR_OUT_OF_RANGE The value of "iterations" is out of range. It must be >= 1 && <= 2147483647. Received 0
// expect: TypeError ERR_INVALID_ARG_TYPE The "callback" argument must be of type function. Received type string ('x')
const forty = new Uint8Array(40);
const same = await new Promise((done) => c.randomFill(forty, 4, 32, (error, value) => done(!error && value === forty)));
console.log(same, forty.subarray(4, 36).some((b) => b !== 0)); // expect: true true
console.log([...forty.subarray(0, 4), ...forty.subarray(36)].join('')); // expect: 00000000
show(() => c.randomFill(new Uint8Array(2), 3, () => {}), () => c.randomFill(new Uint8Array(2), 1, 2, () => {}));
// expect: RangeError ERR_OUT_OF_RANGE The value of "offset" is out of range. It must be >= 0 && <= 2. Received 3
// expect: RangeError ERR_OUT_OF_RANGE The value of "size + offset" is out of range. It must be <= 2. Received 3

// Getters are asked once, and a state of a hash is nobody's to reach.
let asked = 0;
c.createHmac('md5', 'k', { get encoding() { asked++; return 'utf8'; } });
c.scryptSync('p', 's', 1, { get N() { asked++; return 2; }, get cost() { asked++; } });
console.log(asked, Object.keys(c.createHash('md5')).length, Object.isFrozen(c)); // expect: 3 0 true
show(() => c.createHash('md5').update(new Uint8Array(new ArrayBuffer(8), 3, 2)).digest('hex'), () => Reflect.construct(c.CryptoKey, []), () => c.Hash.prototype.update.call({}, 'x'));
// expect: 32
// expect: TypeError ERR_ILLEGAL_CONSTRUCTOR Illegal constructor
// expect: TypeError undefined private class field '#finished' does not exist
