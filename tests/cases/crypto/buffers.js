// What is a Buffer in Node is one here, whether or not the template lists `buffer`.
// flags: --module crypto --module zlib --module util
const c = require('crypto'), z = require('zlib');
const kind = (value) => `${value.constructor.name} ${value instanceof Uint8Array}`;
console.log(kind(c.randomBytes(8)), kind(c.createHash('md5').digest()), kind(c.pbkdf2Sync('a', 'b', 1, 8, 'sha1')), kind(z.gzipSync('x')), kind(z.inflateSync(z.deflateSync('')))); // expect: Buffer true Buffer true Buffer true Buffer true Buffer true
console.log(c.createHash('md5').update('x').digest().toString('hex'), c.createHmac('sha1', 'k').update('x').digest().toString('base64url')); // expect: 9dd4e461268c8034f5c8564e155c67a6 ywATH87GAqj8hEE6KnAVTYwGoNI
console.log(c.randomBytes(4).toString('hex').length, z.gunzipSync(z.gzipSync('h\u00e4')).toString(), z.brotliDecompressSync(z.brotliCompressSync('abc')).toString('utf8', 1)); // expect: 8 hä bc
const one = z.deflateRawSync('x'), two = z.deflateRawSync('x');
console.log(one.equals(two), one.compare(two), one.subarray(1).equals(two.slice(1)), one.readUInt8(0) === one[0], JSON.stringify(c.scryptSync('a', 'b', 2).toJSON().type)); // expect: true 0 true true "Buffer"
await new Promise((done) => c.randomBytes(3, (error, bytes) => done(console.log(error, kind(bytes), bytes.length)))); // expect: null Buffer true 3
await new Promise((done) => z.gzip('x', (error, bytes) => z.gunzip(bytes, (failed, back) => done(console.log(failed, back.toString()))))); // expect: null x
// What is handed over is looked at once: a Buffer that is written to later changes no hash.
const written = c.randomBytes(4).fill(1), hash = c.createHash('sha1').update(written);
written[0] = 9;
console.log(hash.digest('hex') === c.createHash('sha1').update(Uint8Array.of(1, 1, 1, 1)).digest('hex')); // expect: true
console.log(require('util').inspect(c.createHash('sha1').digest())); // expect: <Buffer da 39 a3 ee 5e 6b 4b 0d 32 55 bf ef 95 60 18 90 af d8 07 09>
