// The slowest compression of much ends with the script's time.
// flags: --module zlib --cpu-ms 500
// exit: 124
// expect-error: CPU
// within-ms: 6000
const noise = new Uint8Array(16 << 20);
for (let i = 0, x = 1; i < noise.length; i += 64) noise[i] = x = (x * 73) % 251;
require('zlib').brotliCompressSync(noise);
require('zlib').brotliCompressSync(noise);
require('zlib').brotliCompressSync(noise);
