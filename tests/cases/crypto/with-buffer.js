// The class is the one that `require` answers.
// flags: --module crypto --module buffer --module zlib
const { Buffer: Bytes } = require('buffer'), made = require('crypto').randomBytes(2), packed = require('zlib').gzipSync('x');
console.log(Bytes.isBuffer(made), made instanceof Buffer, made.constructor === Bytes, Bytes.concat([made, packed]).length === 2 + packed.length); // expect: true true true true
