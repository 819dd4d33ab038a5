// Rotates a log: what is old is gzipped, what is too old goes, and the numbers of what was in it are kept.
// flags: --module fs --module zlib --module path --module util --module crypto --root ROOT
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');
const { promisify } = require('util');
const { createHash } = require('crypto');
const gzip = promisify(zlib.gzip), gunzip = promisify(zlib.gunzip);

const KEEP = 3, LIMIT = 4096;
const log = 'logs/app.log';
fs.mkdirSync(path.dirname(log), { recursive: true });

async function rotate() {
  const { size } = await fs.promises.stat(log).catch(() => ({ size: 0 }));
  if (size < LIMIT) return false;
  for (let at = KEEP; at >= 1; at--) {
    const from = `${log}.${at}.gz`;
    if (!fs.existsSync(from)) continue;
    if (at === KEEP) await fs.promises.unlink(from);
    else await fs.promises.rename(from, `${log}.${at + 1}.gz`);
  }
  const bytes = await fs.promises.readFile(log, { encoding: null });
  await fs.promises.writeFile(`${log}.1.gz`, await gzip(bytes, { level: 9 }));
  await fs.promises.truncate(log, 0);
  return true;
}

async function* lines(file) {
  let rest = '';
  for await (const chunk of fs.createReadStream(file, { encoding: 'utf8', highWaterMark: 777 })) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop();
    yield* parts;
  }
  if (rest !== '') yield rest;
}

let rotations = 0, written = 0;
const level = (at) => (at % 50 === 0 ? 'ERROR' : at % 7 === 0 ? 'WARN' : 'INFO');
for (let batch = 0; batch < 10; batch++) {
  const out = fs.createWriteStream(log, { flags: 'a' });
  for (let at = 0; at < 40; at++) out.write(`${new Date(Date.UTC(2024, 0, 1, 0, 0, ++written)).toISOString()} ${level(written)} request ${written} für „${'x'.repeat(written % 30)}“\n`);
  await new Promise((resolve, reject) => { out.on('error', reject); out.end(resolve); });
  if (await rotate()) rotations++;
}
console.log(written, rotations, fs.readdirSync('logs').sort().join()); // expect: 400 5 app.log,app.log.1.gz,app.log.2.gz,app.log.3.gz

const counts = {};
const count = (line) => { const [, word] = line.split(' '); counts[word] = (counts[word] ?? 0) + 1; };
for await (const line of lines(log)) count(line);
console.log(counts); // expect: {}
const sum = createHash('md5');
for (let at = 1; at <= KEEP; at++) {
  const packed = fs.readFileSync(`${log}.${at}.gz`, { encoding: null });
  const text = new TextDecoder().decode(await gunzip(packed));
  const all = text.trimEnd().split('\n');
  all.forEach(count);
  sum.update(text);
  console.log(at, all.length, all[0], text.length / packed.length > 3, packed[0] === 0x1f && packed[1] === 0x8b);
// expect: 1 80 2024-01-01T00:05:21.000Z INFO request 321 für „xxxxxxxxxxxxxxxxxxxxx“ true true
// expect: 2 80 2024-01-01T00:04:01.000Z INFO request 241 für „x“ true true
// expect: 3 80 2024-01-01T00:02:41.000Z WARN request 161 für „xxxxxxxxxxx“ true true
}
console.log(counts, sum.digest('hex')); // expect: { INFO: 201, WARN: 34, ERROR: 5 } 1a766f4d47f78a7636079555e9fc10f4

// One that is damaged is told, and the others are read all the same.
const damaged = fs.readFileSync(`${log}.2.gz`, { encoding: null });
damaged[20] ^= 0xff;
fs.writeFileSync(`${log}.2.gz`, damaged);
fs.truncateSync(`${log}.3.gz`, 100);
fs.writeFileSync(`${log}.1.gz`, 'no gzip at all');
for (let at = 1; at <= KEEP; at++) {
  const packed = fs.readFileSync(`${log}.${at}.gz`, { encoding: null });
  // Which of a damaged stream's errors comes first is the implementation's.
  try { zlib.gunzipSync(packed); } catch (e) { console.log(at, e instanceof Error, at === 2 ? e.code.startsWith('Z_') : `${e.code} ${e.message}`); }
// expect: 1 true Z_DATA_ERROR incorrect header check
// expect: 2 true true
// expect: 3 true Z_BUF_ERROR unexpected end of file
}
console.log(zlib.brotliDecompressSync(zlib.brotliCompressSync('again and '.repeat(100))).length, zlib.crc32('hello')); // expect: 1000 907060870
