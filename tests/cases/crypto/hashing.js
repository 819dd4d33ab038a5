// Hashes, HMAC, key derivation: what Node answers.
// flags: --module crypto
const c = require('crypto');
const text = (value) => value instanceof Uint8Array || value instanceof ArrayBuffer
  ? Array.from(new Uint8Array(value), (byte) => byte.toString(16).padStart(2, '0')).join('') : String(value);
const show = (...all) => { for (const f of all) {
  try { console.log(text(f())); } catch (e) { console.log(e.name, e.code, e.message); }
} };
const u8 = (...all) => Uint8Array.from(all);
for (const name of ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha512-224', 'sha512-256', 'sha3-224', 'sha3-256', 'sha3-384', 'sha3-512', 'SHA256', 'RSA-SHA512', 'sha-256', 'RSA-SHA512/256']) {
  show(() => c.createHash(name).update('abc').digest('hex'), () => c.createHmac(name, 'key').update('abc').digest('hex'));
}
const abc = () => c.createHash('md5').update('abc');
show(() => abc().digest(), () => abc().digest('base64'), () => abc().digest('base64url'), () => abc().digest('buffer'), () => abc().digest('nope'), () => abc().digest('HEX'), () => JSON.stringify(abc().digest('latin1')), () => JSON.stringify(abc().digest('ascii')));
const md5 = (...given) => () => c.createHash('md5').update(...given).digest('hex');
show(md5(''), md5('é€😀'), md5('\ud800x'), md5('616263', 'hex'), md5('61zz', 'hex'), md5('616', 'hex'), md5('YWJj', 'base64'), md5('YW Jj\n_-=x', 'base64'), md5('Y', 'base64'), md5('é€', 'latin1'), md5('é€', 'binary'), md5('é€', 'utf16le'), md5('é', 'nope'), md5('é', 'ascii'), md5(u8(1, 2, 3)), md5(new Uint16Array([1, 2])), md5(new DataView(u8(1, 2, 3).buffer, 1)));
// In pieces of many sizes, over what is held at once, with what was given changed afterwards.
const long = (make) => { const h = make(), part = new Uint8Array(977); for (let i = 0; i < 3000; i++) { part.fill(i); h.update(part); if (i % 7 === 0) h.update('ä' + i); } return h; };
show(() => long(() => c.createHash('sha256')).digest('hex'), () => long(() => c.createHmac('sha512', 'k'.repeat(300))).digest('hex'), () => long(() => c.createHash('sha3-256')).digest('base64'));
const first = long(() => c.createHash('sha1')), second = first.copy();
first.update('x');
show(() => first.digest('hex'), () => second.digest('hex'), () => second.copy(), () => second.update('x'), () => second.digest());
const mac = c.createHmac('md5', 'k');
show(() => mac.digest('hex'), () => mac.digest('hex') === '', () => mac.digest().length, () => mac.update('x'));
show(() => c.createHmac('sha1', u8(1, 2)).update('x').digest('hex'), () => c.createHmac('sha1', '').update('x').digest('hex'), () => c.createHmac('sha256', '6b', { encoding: 'hex' }).digest('hex'));
show(() => c.hash('sha1', 'abc'), () => c.hash('sha1', 'abc', 'base64'), () => c.hash('sha1', u8(1), 'buffer'));
show(() => c.createHash('sha256', { outputLength: 32 }).digest('hex').length, () => c.createHash());
show(() => c.createHash('md5').update(), () => c.createHash('md5').update(1), () => c.createHash('md5').update({}), () => c.createHash('md5').update(null), () => c.createHash(1));
show(() => c.createHmac('nope', 'k'), () => c.createHmac('md5'), () => c.createHmac('md5', 1), () => c.createHmac(1, 'k'));

for (const name of ['md5', 'sha1', 'sha256', 'sha512', 'sha3-256']) {
  show(() => c.pbkdf2Sync('password', 'salt', 1, 16, name), () => c.pbkdf2Sync('pässword', u8(1, 2), 1001, 100, name), () => c.hkdfSync(name, 'key', 'salt', 'info', 50), () => c.hkdfSync(name, '', u8(), '', 4));
}
show(() => c.pbkdf2Sync('p', 's', 1, 0, 'sha1').length, () => c.pbkdf2Sync('p', 's', 0, 1, 'sha1'), () => c.pbkdf2Sync('p', 's', 1.5, 1, 'sha1'), () => c.pbkdf2Sync('p', 's', 1, -1, 'sha1'), () => c.pbkdf2Sync('p', 's', 1, NaN, 'sha1'), () => c.pbkdf2Sync('p', 's', 1, 2 ** 31, 'sha1'), () => c.pbkdf2Sync('p', 's', 1, 1), () => c.pbkdf2Sync('p', 's', 1, 1, 'no'), () => c.pbkdf2Sync(1, 's', 1, 1, 'sha1'), () => c.pbkdf2Sync('p', 1, 1, 1, 'sha1'), () => c.pbkdf2Sync('p', 's', '1', 1, 'sha1'));
show(() => c.hkdfSync('sha256', 'k', 's', 'i', 0), () => c.hkdfSync('sha256', 'k', 's', 'i', 8160).byteLength, () => c.hkdfSync('sha256', 'k', 's', 'i', 8161), () => c.hkdfSync('no', 'k', 's', 'i', 1));
show(() => c.scryptSync('password', 'salt', 32), () => c.scryptSync('pw', u8(1), 10, { N: 16, r: 1, p: 3 }), () => c.scryptSync('pw', 's', 7, { cost: 1024, blockSize: 4, parallelization: 2 }), () => c.scryptSync('p', 's', 0).length, () => c.scryptSync('p', 's', 8, { N: 3 }), () => c.scryptSync('p', 's', 8, { N: 1 }), () => c.scryptSync('p', 's', 8, { r: 0 }), () => c.scryptSync('p', 's', -1), () => c.scryptSync('p', 's', 8, { N: 16, cost: 16 }), () => c.scryptSync('p', 's', 8, { maxmem: -1 }), () => c.scryptSync('p', 's', 8, { N: '16' }), () => c.scryptSync('p', 's'));
show(() => c.timingSafeEqual(u8(1, 2), u8(1, 2)), () => c.timingSafeEqual(u8(1, 2), u8(1, 3)), () => c.timingSafeEqual(u8(1), u8(1, 2)), () => c.timingSafeEqual(u8(1).buffer, new Int8Array([1])));
show(() => c.randomBytes(-1), () => c.randomBytes(NaN), () => c.randomBytes('1'), () => c.randomBytes(2 ** 31), () => c.randomBytes(1.5).length, () => c.randomBytes(0).length, () => c.randomBytes());
show(() => c.randomInt(0), () => c.randomInt(5, 1), () => c.randomInt(1.5), () => c.randomInt('1'), () => c.randomInt(1), () => c.randomInt(-3, -2), () => c.randomInt(NaN));
// expect: 900150983cd24fb0d6963f7d28e17f72
// expect: d2fe98063f876b03193afb49b4979591
// expect: a9993e364706816aba3e25717850c26c9cd0d89d
// expect: 4fd0b215276ef12f2b3e4c8ecac2811498b656fc
// expect: 23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7
// expect: f524670b7e34f31467de0aa96593861cf65117d414fb2d86158d760e
// expect: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
// expect: 9c196e32dc0175f86f4b1cb89289d6619de6bee699e4c378e68309ed97a1a6ab
// expect: cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7
// expect: 30ddb9c8f347cffbfb44e519d814f074cf4047a55d6f563324f1c6a33920e5edfb2a34bac60bdc96cd33a95623d7d638
// expect: ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
// expect: 3926a207c8c42b0c41792cbd3e1a1aaaf5f7a25704f62dfc939c4987dd7ce060009c5bb1c2447355b3216f10b537e9afa7b64a4e5391b0d631172d07939e087a
// expect: 4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa
// expect: 28bc0433ef684ea9877c2f2437aa0ccfc2e8eb3a9b4c731606877b4f
// expect: 53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23
// expect: f367b7ca80ab2cf85c23e58b73a8fd525a6fa2c66ff105804a2d4cf4df06e129
// expect: e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf
// expect: 09d9d74e7d761c8f27f07d8d35f95b9d160b6b4d8175329db68eea6d
// expect: 3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532
// expect: 09b6dbab8d11795ca7c8d82f1cf91682013c7cb980abbb25473be4ae7f7b5683
// expect: ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25
// expect: 94f2aa7ae7c4b7b8fa4c612fdb422b3343811b13c8888257904f543995cdbcba5e49f10f8ed6f7b9ddc1b30b3828815c
// expect: b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0
// expect: 085e4e83503f40b82fef38438bc4905a55dbaa8c8878097a899db0b57ce7da57a368251c34474f60b3ebacb39b2edaca4b290456411c76ec7ab61944cfe2288e
// expect: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
// expect: 9c196e32dc0175f86f4b1cb89289d6619de6bee699e4c378e68309ed97a1a6ab
// expect: ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
// expect: 3926a207c8c42b0c41792cbd3e1a1aaaf5f7a25704f62dfc939c4987dd7ce060009c5bb1c2447355b3216f10b537e9afa7b64a4e5391b0d631172d07939e087a
// expect: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
// expect: 9c196e32dc0175f86f4b1cb89289d6619de6bee699e4c378e68309ed97a1a6ab
// expect: 53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23
// expect: f367b7ca80ab2cf85c23e58b73a8fd525a6fa2c66ff105804a2d4cf4df06e129
// expect: 900150983cd24fb0d6963f7d28e17f72
// expect: kAFQmDzST7DWlj99KOF/cg==
// expect: kAFQmDzST7DWlj99KOF_cg
// expect: 900150983cd24fb0d6963f7d28e17f72
// expect: 900150983cd24fb0d6963f7d28e17f72
// expect: 900150983cd24fb0d6963f7d28e17f72
// expect: "\u0001P<ÒO°Ö?}(ár"
// expect: "\u0010\u0001P\u0018<RO0V\u0016?}(ar"
// expect: d41d8cd98f00b204e9800998ecf8427e
// expect: 3b07a39fef0ac5d7ef21575e7315a482
// expect: e240e5e976deb550ea69ec12f01d19ea
// expect: 900150983cd24fb0d6963f7d28e17f72
// expect: 0cc175b9c0f1b6a831c399e269772661
// expect: TypeError ERR_INVALID_ARG_VALUE The argument 'encoding' is invalid for data of length 3. Received 'hex'
// expect: 900150983cd24fb0d6963f7d28e17f72
// expect: c0264f6955ce659ec518ac7b5de94954
// expect: d41d8cd98f00b204e9800998ecf8427e
// expect: edc3ac2bdd3bc14eac2a832ca76d058d
// expect: edc3ac2bdd3bc14eac2a832ca76d058d
// expect: f5f1ec1f282573bf79778b3f0eca7402
// expect: 66ddcd97cfdeabb2f6fb8a999b4bc76f
// expect: 3406877694691ddd1dfb0aca54681407
// expect: 5289df737df57326fcdd22597afb1fac
// expect: 99ffb3d9eeadc24aa4f9b13530176bf8
// expect: 1fab1cffea9b6fd2f36bfb46e182fd77
// expect: cda7ab797230bdbdb40f7257576d700ca6aa290c3a2c0f269744da0f2453876f
// expect: f5a4c69c0e5415f1a4fb577cb4c9df3879e3dcb8bc53f991645319d22db60540d8f69c64a3db92bad17d7865ee41ab0038ca3b88ac5337b5f8294bc49ba65c64
// expect: kwaZQdIk8qZX3qkHeYHeGjTeihZwX+84CML+4q/T7vs=
// expect: 3105365020de7f209e8acd5f699d6085343ea255
// expect: dbe1a79f9c5278aa496b8c40b8253a7fd67dc875
// expect: Error ERR_CRYPTO_HASH_FINALIZED Digest already called
// expect: Error ERR_CRYPTO_HASH_FINALIZED Digest already called
// expect: Error ERR_CRYPTO_HASH_FINALIZED Digest already called
// expect: cd32bedd46aa63cffa3023f050fc78e3
// expect: true
// expect: 0
// expect: Error ERR_CRYPTO_HASH_FINALIZED Digest already called
// expect: 078a734766ff1f38076b61aa41af0815c96bc465
// expect: 6244e66451a1c8695db9731ce2c4fd5de25ccf87
// expect: 8bb990c40a7d61cb97597a942125025be50ac8beb74436e3735b98893a7f6620
// expect: a9993e364706816aba3e25717850c26c9cd0d89d
// expect: qZk+NkcGgWq6PiVxeFDCbJzQ2J0=
// expect: bf8b4530d8d246dd74ac53a13471bba17941dff7
// expect: 64
// expect: TypeError ERR_INVALID_ARG_TYPE The "algorithm" argument must be of type string. Received undefined
// expect: TypeError ERR_INVALID_ARG_TYPE The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received undefined
// expect: TypeError ERR_INVALID_ARG_TYPE The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received an instance of Object
// expect: TypeError ERR_INVALID_ARG_TYPE The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received null
// expect: TypeError ERR_INVALID_ARG_TYPE The "algorithm" argument must be of type string. Received type number (1)
// expect: TypeError ERR_CRYPTO_INVALID_DIGEST Invalid digest: nope
// expect: TypeError ERR_INVALID_ARG_TYPE The "key" argument must be of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey. Received undefined
// expect: TypeError ERR_INVALID_ARG_TYPE The "key" argument must be of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "hmac" argument must be of type string. Received type number (1)
// expect: f31afb6d931392daa5e3130f47f9a9b6
// expect: d38aba36070e5f5e69a038cd1d1b9d48418016c564b9d84b0e3763b09ef1bb4774c903b46e3f76d67893a1b3955f57bf4e800f29fc10108550cf09d0fd2e003a1d6f7ffcaf7ce45f6026b497e8f72fa29b6abb6ba1641374005c453b148efdf1c3fdb231
// expect: edd053d0030729baf813c1e0f0e9941d956133d5a3a33866cdad1b04953f4609e0e0aad124fc89843fd04da81e39809c4c0b
// expect: bfb213a8
// expect: 0c60c80f961f0e71f3a9b524af601206
// expect: d7379acb932aba88e4e1ae47b01acb964d7bc0e77e33f5e275a3b51b400d0a2940b7ed9150dae79051f6b99606582aa17bf43e36dff18429cf0ca7ec15073d157a4ac4de8f9f174da8814b371c35e155765547aade77ecebf864c84ae97837468f4bc383
// expect: a0bc90fe7a3fef57087f96ceeaccea0241f6e00a3fe35a789ced78dfbc7c95f5fb56cf6b88b72a532bbb9d2a257983e122a0
// expect: 885fc029
// expect: 120fb6cffcf8b32c43e7225256c4f837
// expect: 219eb5599e19efa499a2b3faa6256550852655ad455429bf53c4a1989183b58f2ffe86b3ca7022c6e81df157d93833c6cd9c8e0d0da5e2f5d55444377e7f259ed146f4a388fc5bcacf0a65948680d9ffe8fd9347c20e882d58c05e84cbaec44ade842f6b
// expect: 9ca0d662557439e3b83365f2da4626d35da195c6d9d1779f09838cf9e408966ece99106e2585ace6f083fa1acd5192f430fd
// expect: eb70f01d
// expect: 867f70cf1ade02cff3752599a3a53dc4
// expect: e926d9d78fec8a7fb4f6a06331ca5e47fd5f7312fc4db69d9041453c123f56170d5a5e022b4425429a285f1c6b7b78b87415ff520b91ec5db3117fc6636b7a5a38b63de20d116ff3d9eb4a1224887f996c76cc709787dfc11148aa44756eb7a0e56f4543
// expect: 24156e2c35525baaf3d0fbb92b734c8032a110a3f12e2596e441e1924870d84c3a500652a723738024432451046fd237efad
// expect: 9d73c98e
// expect: 94613f3ee2ea730e0b06754f3fc816d4
// expect: 46aae2fb01b76f6f7fbd658ac378bf5a83989018062e3a7ab054210db42ceab157d872e8b1af68b34ec9b123c623a2d91996bc7d030bf75bb8c2006a6bf045bb49d58b28f2c8c57fbde0e5acee36ee8ec5a5e17437033b0ea550947df02c8c100d8d2912
// expect: 7c0ef77d81593534a377e29e61bed4e29ffad92bfced4a2521022782597b4554fec714c1f4c7ffce556cdd5f64a12b679074
// expect: 03528766
// expect: 0
// expect: RangeError ERR_OUT_OF_RANGE The value of "iterations" is out of range. It must be >= 1 && <= 2147483647. Received 0
// expect: RangeError ERR_OUT_OF_RANGE The value of "iterations" is out of range. It must be an integer. Received 1.5
// expect: RangeError ERR_OUT_OF_RANGE The value of "keylen" is out of range. It must be >= 0 && <= 2147483647. Received -1
// expect: RangeError ERR_OUT_OF_RANGE The value of "keylen" is out of range. It must be an integer. Received NaN
// expect: RangeError ERR_OUT_OF_RANGE The value of "keylen" is out of range. It must be >= 0 && <= 2147483647. Received 2147483648
// expect: TypeError ERR_INVALID_ARG_TYPE The "digest" argument must be of type string. Received undefined
// expect: TypeError ERR_CRYPTO_INVALID_DIGEST Invalid digest: no
// expect: TypeError ERR_INVALID_ARG_TYPE The "password" argument must be of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "salt" argument must be of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "iterations" argument must be of type number. Received type string ('1')
// expect: 
// expect: 8160
// expect: RangeError ERR_CRYPTO_INVALID_KEYLEN Invalid key length
// expect: TypeError ERR_CRYPTO_INVALID_DIGEST Invalid digest: no
// expect: 745731af4484f323968969eda289aeee005b5903ac561e64a5aca121797bf773
// expect: 36be5c405ac904b752c1
// expect: 6a793ff4d1e703
// expect: 0
// expect: RangeError ERR_CRYPTO_INVALID_SCRYPT_PARAMS Invalid scrypt params
// expect: RangeError ERR_CRYPTO_INVALID_SCRYPT_PARAMS Invalid scrypt params
// expect: 4329787752e75d1d
// expect: RangeError ERR_OUT_OF_RANGE The value of "keylen" is out of range. It must be >= 0 && <= 2147483647. Received -1
// expect: Error ERR_CRYPTO_SCRYPT_INVALID_PARAMETER Invalid scrypt parameter
// expect: RangeError ERR_OUT_OF_RANGE The value of "maxmem" is out of range. It must be >= 0 && <= 9007199254740991. Received -1
// expect: TypeError ERR_INVALID_ARG_TYPE The "N" argument must be of type number. Received type string ('16')
// expect: TypeError ERR_INVALID_ARG_TYPE The "keylen" argument must be of type number. Received undefined
// expect: true
// expect: false
// expect: RangeError ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH Input buffers must have the same byte length
// expect: true
// expect: RangeError ERR_OUT_OF_RANGE The value of "size" is out of range. It must be >= 0 && <= 2147483647. Received -1
// expect: RangeError ERR_OUT_OF_RANGE The value of "size" is out of range. It must be >= 0 && <= 2147483647. Received NaN
// expect: TypeError ERR_INVALID_ARG_TYPE The "size" argument must be of type number. Received type string ('1')
// expect: RangeError ERR_OUT_OF_RANGE The value of "size" is out of range. It must be >= 0 && <= 2147483647. Received 2147483648
// expect: 1
// expect: 0
// expect: TypeError ERR_INVALID_ARG_TYPE The "size" argument must be of type number. Received undefined
// expect: RangeError ERR_OUT_OF_RANGE The value of "max" is out of range. It must be greater than the value of "min" (0). Received 0
// expect: RangeError ERR_OUT_OF_RANGE The value of "max" is out of range. It must be greater than the value of "min" (5). Received 1
// expect: TypeError ERR_INVALID_ARG_TYPE The "max" argument must be a safe integer. Received type number (1.5)
// expect: TypeError ERR_INVALID_ARG_TYPE The "max" argument must be a safe integer. Received type string ('1')
// expect: 0
// expect: -3
// expect: TypeError ERR_INVALID_ARG_TYPE The "max" argument must be a safe integer. Received type number (NaN)
// What a script puts in the place of globals and of Array's own properties is its own.
crypto.randomUUID = () => 'mine';
Object.defineProperty(Array.prototype, 0, { value: 'md5', configurable: true, writable: true });
show(() => c.randomUUID() === 'mine', () => c.createHash('nope'), () => c.createHash('nope'), () => c.createHash('SHA-1').digest('hex').length);
void delete Array.prototype[0];
// expect: false
// expect: Error ERR_CRYPTO_INVALID_DIGEST Digest method not supported
// expect: Error ERR_CRYPTO_INVALID_DIGEST Digest method not supported
// expect: 40
