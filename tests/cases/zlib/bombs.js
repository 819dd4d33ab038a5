// What is inflated is bounded while it is inflated; what is hostile ends as an error.
// flags: --module zlib --mem-mb 64
// within-ms: 20000
const z = require('node:zlib');
const code = (f) => { try { return f().length; } catch (e) { return e.code; } };
const million = new Uint8Array(1 << 20);
for (const [pack, unpack] of [['gzipSync', 'gunzipSync'], ['deflateRawSync', 'inflateRawSync'], ['brotliCompressSync', 'brotliDecompressSync']]) {
  console.log(code(() => z[unpack](z[pack](million))), code(() => z[unpack](z[pack](million), { maxOutputLength: 1 << 20 })), code(() => z[unpack](z[pack](million), { maxOutputLength: (1 << 20) - 1 })));
}
// expect: 1048576 1048576 ERR_BUFFER_TOO_LARGE
// expect: 1048576 1048576 ERR_BUFFER_TOO_LARGE
// expect: 1048576 1048576 ERR_BUFFER_TOO_LARGE
// A thousand members of a million bytes: one gigabyte out of one megabyte.
const member = z.gzipSync(million), bomb = new Uint8Array(member.length * 1000);
for (let i = 0; i < 1000; i++) bomb.set(member, i * member.length);
console.log(code(() => z.gunzipSync(bomb)), code(() => z.unzipSync(bomb)), code(() => z.gunzipSync(bomb, { maxOutputLength: 2 ** 32 }))); // expect: ERR_BUFFER_TOO_LARGE ERR_BUFFER_TOO_LARGE ERR_BUFFER_TOO_LARGE
await z.gunzip(bomb).catch((e) => console.log(e instanceof RangeError, e.code)); // expect: true ERR_BUFFER_TOO_LARGE

// A window of 1 GiB, every first byte, and every byte of a stream spoilt.
console.log(code(() => z.brotliDecompressSync(Uint8Array.from([0x11, 0x1e, 0xff, 0xff, 0xff, 0xff])))); // expect: Z_DATA_ERROR
const codes = new Set();
for (const [pack, unpack] of [['gzipSync', 'gunzipSync'], ['deflateSync', 'inflateSync'], ['deflateRawSync', 'inflateRawSync'], ['brotliCompressSync', 'brotliDecompressSync']]) {
  const good = z[pack]('some text, some more text, and some text again 0123456789');
  for (let at = 0; at < good.length; at++) for (const value of [0, 1, 0x55, 0xff]) {
    const bad = Uint8Array.from(good);
    bad[at] = value;
    const got = code(() => z[unpack](bad));
    if (typeof got === 'string') codes.add(got);
  }
  for (let first = 0; first < 256; first++) code(() => z[unpack](Uint8Array.from([first, ...good.slice(1)])));
}
console.log([...codes].sort().join()); // expect: Z_BUF_ERROR,Z_DATA_ERROR
// Getters are asked once; a resized or detached array is what it was.
let asked = 0;
z.gzipSync('x', { get level() { asked++; return 1; }, get maxOutputLength() { asked++; return 100; } });
console.log(asked, z.crc32('hello'), z.crc32('lo', z.crc32('hel')), z.crc32(new Uint8Array(0)), code(() => z.crc32('x', -1)), code(() => z.crc32(1))); // expect: 2 907060870 907060870 0 ERR_OUT_OF_RANGE ERR_INVALID_ARG_TYPE
for (const f of [() => z.gzip(1), () => z.gzip('x', 1, 2), () => z.gzip('x', 'y')]) console.log(code(f)); // expect: ERR_INVALID_ARG_TYPE
// expect: ERR_INVALID_ARG_TYPE
// expect: ERR_INVALID_ARG_TYPE
