// What Node answers, except for the words of some messages, and where raw bytes are both short and wrong.
// flags: --module zlib --cpu-ms 20000 --wall-ms 60000
const z = require('zlib');
const hex = (value) => Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('');
const text = (value) => Array.from(value, (byte) => String.fromCharCode(byte)).join('');
const bytes = (source) => Uint8Array.from(source.match(/../g) ?? [], (two) => parseInt(two, 16));
const show = (...all) => { for (const f of all) {
  try { const value = f(); console.log(value instanceof Uint8Array ? text(value) : String(value)); } catch (e) { console.log(e.name, e.code, /^Z_DATA|ERR__ERR/.test(e.code) ? '' : e.message); }
} };
const pairs = [['gzipSync', 'gunzipSync'], ['deflateSync', 'inflateSync'], ['deflateRawSync', 'inflateRawSync'], ['brotliCompressSync', 'brotliDecompressSync'], ['gzipSync', 'unzipSync'], ['deflateSync', 'unzipSync']];
for (const [pack, unpack] of pairs) {
  show(() => z[unpack](z[pack]('hello')), () => z[unpack](z[pack]('')).length, () => text(z[unpack](z[pack]('é€😀'))).length);
  const large = new Uint8Array(300000).map((_, i) => (i * i) >> 7);
  show(() => hex(z[unpack](z[pack](large))) === hex(large), () => z[unpack](z[pack](large.buffer)).length, () => z[unpack](z[pack](new DataView(large.buffer, 5, 9))).length);
  show(() => z[unpack](z[pack]('hello').subarray(0, 6)), () => z[unpack](new Uint8Array(0)), () => z[unpack]('\xff\xff\xff\xff'));
  show(() => z[unpack](z[pack]('x'.repeat(1000)), { maxOutputLength: 1000 }).length, () => z[unpack](z[pack]('x'.repeat(1000)), { maxOutputLength: 999 }).length);
}
// Made by zlib, gzip and brotli elsewhere.
show(() => z.gunzipSync(bytes('1f8b0800000000000003cb48cdc9c9070086a6103605000000')), () => z.inflateSync(bytes('789ccb48cdc9c90700062c0215')), () => z.inflateRawSync(bytes('cb48cdc9c90700')), () => z.brotliDecompressSync(bytes('0b028068656c6c6f03')));
// One after another, padding, junk behind, a wrong sum.
const two = [...z.gzipSync('a'), ...z.gzipSync('b')];
show(() => z.gunzipSync(Uint8Array.from(two)), () => z.gunzipSync(Uint8Array.from([...two, 0, 0, 0])), () => z.gunzipSync(Uint8Array.from([...two, 106, 117])), () => z.inflateSync(Uint8Array.from([...z.deflateSync('a'), 1, 2, 3])), () => z.brotliDecompressSync(Uint8Array.from([...z.brotliCompressSync('a'), 1, 2, 3])));
const spoilt = z.gzipSync('hello');
spoilt[spoilt.length - 6] ^= 1;
show(() => z.gunzipSync(spoilt), () => z.inflateSync('abcdefgh'), () => z.inflateRawSync(bytes('ffff')));
const long = Array.from({ length: 5000 }, (_, i) => `${i % 97} some line ${i * 7919 % 1000}\n`).join('');
const sizes = [0, 1, 6, 9].map((level) => z.gzipSync(long, { level }).length);
console.log(sizes[0] > sizes[1] && sizes[0] > sizes[3], z.gzipSync('x', { level: -1 }).length, z.gzipSync('x', { level: NaN }).length, z.gzipSync('x', 1).length);
console.log(z.brotliCompressSync(long, { params: { [z.constants.BROTLI_PARAM_QUALITY]: 0 } }).length > z.brotliCompressSync(long).length);
show(() => z.gunzipSync(1), () => z.gunzipSync(), () => z.gunzipSync([1]), () => z.gzipSync('x', { level: 10 }), () => z.gzipSync('x', { level: '1' }), () => z.gzipSync('x', { level: -2 }), () => z.gunzipSync('', { maxOutputLength: 0 }), () => z.gunzipSync('', { maxOutputLength: '1' }), () => z.gzipSync('x', { maxOutputLength: 3 }));
const called = (f, ...given) => new Promise((resolve) => f(...given, (error, value) => resolve(error ? [error.name, error.code, error.errno] : text(value))));
(async () => {
  console.log(await called(z.gunzip, z.gzipSync('a')), await called(z.brotliDecompress, z.brotliCompressSync('b'), {}), String(await called(z.inflate, 'junk!')), String(await called(z.unzip, z.gzipSync('abc'), { maxOutputLength: 1 })));
  // With callbacks, in each format, and of what ends early.
  const failed = (error) => `${error.name} ${error.code} ${error.errno}`;
  const told = (ask) => new Promise((resolve) => ask((error, value) => resolve(error ? failed(error) : value)));
  const halves = [
    [(data, done) => z.gzip(data, done), (data, done) => z.gunzip(data, done)],
    [(data, done) => z.deflate(data, done), (data, done) => z.inflate(data, done)],
    [(data, done) => z.deflate(data, { level: 9 }, done), (data, done) => z.unzip(data, done)],
    [(data, done) => z.deflateRaw(data, done), (data, done) => z.inflateRaw(data, done)],
    [(data, done) => z.brotliCompress(data, done), (data, done) => z.brotliDecompress(data, done)],
  ];
  for (const [pack, unpack] of halves) {
    const packed = await told((done) => pack('hello', done));
    const whole = await told((done) => unpack(packed, done));
    console.log(text(whole), await told((done) => unpack(packed.subarray(0, 6), done)));
  }
  console.log(text(z.inflateRawSync(z.deflateRawSync('hello', { level: 0 }))));
  console.log(z.deflateRawSync('').length, z.deflateSync('').length, z.gzipSync('').length);
})();
// expect: hello
// expect: 0
// expect: 9
// expect: true
// expect: 300000
// expect: 9
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_DATA_ERROR 
// expect: 1000
// expect: RangeError ERR_BUFFER_TOO_LARGE Cannot create a Buffer larger than 999 bytes
// expect: hello
// expect: 0
// expect: 9
// expect: true
// expect: 300000
// expect: 9
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_DATA_ERROR 
// expect: 1000
// expect: RangeError ERR_BUFFER_TOO_LARGE Cannot create a Buffer larger than 999 bytes
// expect: hello
// expect: 0
// expect: 9
// expect: true
// expect: 300000
// expect: 9
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: 1000
// expect: RangeError ERR_BUFFER_TOO_LARGE Cannot create a Buffer larger than 999 bytes
// expect: hello
// expect: 0
// expect: 9
// expect: true
// expect: 300000
// expect: 9
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: 1000
// expect: RangeError ERR_BUFFER_TOO_LARGE Cannot create a Buffer larger than 999 bytes
// expect: hello
// expect: 0
// expect: 9
// expect: true
// expect: 300000
// expect: 9
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_DATA_ERROR 
// expect: 1000
// expect: RangeError ERR_BUFFER_TOO_LARGE Cannot create a Buffer larger than 999 bytes
// expect: hello
// expect: 0
// expect: 9
// expect: true
// expect: 300000
// expect: 9
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_BUF_ERROR unexpected end of file
// expect: Error Z_DATA_ERROR 
// expect: 1000
// expect: RangeError ERR_BUFFER_TOO_LARGE Cannot create a Buffer larger than 999 bytes
// expect: hello
// expect: hello
// expect: hello
// expect: hello
// expect: ab
// expect: ab
// expect: Error Z_DATA_ERROR 
// expect: a
// expect: a
// expect: Error Z_DATA_ERROR 
// expect: Error Z_DATA_ERROR 
// expect: Error Z_DATA_ERROR 
// expect: true 21 21 21
// expect: true
// expect: TypeError ERR_INVALID_ARG_TYPE The "buffer" argument must be of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "buffer" argument must be of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer. Received undefined
// expect: TypeError ERR_INVALID_ARG_TYPE The "buffer" argument must be of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer. Received an instance of Array
// expect: RangeError ERR_OUT_OF_RANGE The value of "options.level" is out of range. It must be >= -1 and <= 9. Received 10
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.level" property must be of type number. Received type string ('1')
// expect: RangeError ERR_OUT_OF_RANGE The value of "options.level" is out of range. It must be >= -1 and <= 9. Received -2
// expect: RangeError ERR_OUT_OF_RANGE The value of "options.maxOutputLength" is out of range. It must be >= 1 and <= 4294967296. Received 0
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.maxOutputLength" property must be of type number. Received type string ('1')
// expect: RangeError ERR_BUFFER_TOO_LARGE Cannot create a Buffer larger than 3 bytes
// expect: a b Error,Z_DATA_ERROR,-3 RangeError,ERR_BUFFER_TOO_LARGE,
// expect: hello Error Z_BUF_ERROR -5
// expect: hello Error Z_BUF_ERROR -5
// expect: hello Error Z_BUF_ERROR -5
// expect: hello Error Z_BUF_ERROR -5
// expect: hello Error Z_BUF_ERROR -5
// expect: hello
// expect: 2 8 20
