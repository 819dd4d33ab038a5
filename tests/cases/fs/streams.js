// Streams that are paused, have encodings, and read open files.
// flags: --module fs --module buffer --root ROOT
const fs = require('fs'), fsp = require('fs/promises'), { Buffer } = require('buffer');
fs.writeFileSync('a.txt', 'one\ntwo\r\nthree\rfour\n\nlast 😀é');
const all = async (stream) => { const parts = []; for await (const part of stream) parts.push(part); return parts; };
// Paused: nothing comes until it goes on.
await new Promise((done) => {
  const stream = fs.createReadStream('a.txt', { highWaterMark: 4 }), told = [];
  console.log(stream.isPaused()); // expect: false
  stream.setEncoding('utf8');
  stream.on('pause', () => told.push('pause'));
  stream.on('data', (part) => {
    told.push(part);
    if (told.length > 3) return;
    stream.pause();
    told.push(stream.isPaused());
    setTimeout(() => {
      told.push(stream.isPaused());
      stream.resume();
    }, 20);
  });
  stream.on('end', () => told.push('end'));
  stream.on('close', () => {
    console.log(JSON.stringify(told.slice(0, 5)), told.at(-1), typeof told.at(-2)); // expect: ["one\n","pause",true,true,"two\r"] end string
    done();
  });
});
const held = fs.createReadStream('a.txt').pause();
held.on('data', () => console.log('never'));
await new Promise((go) => { setTimeout(go, 20); });
console.log(held.isPaused(), held.bytesRead); // expect: true 0
held.destroy();
// Characters that lie in two chunks are whole.
for (const encoding of ['utf8', 'utf16le', 'base64', 'base64url', 'hex', 'latin1']) {
  const parts = await all(fs.createReadStream('a.txt', { encoding, highWaterMark: 5 }));
  console.log(encoding, parts.join('') === fs.readFileSync('a.txt', encoding), parts.every((part) => typeof part === 'string')); // expect: utf8 true true
  // expect: utf16le true true
  // expect: base64 true true
  // expect: base64url true true
  // expect: hex true true
  // expect: latin1 true true
}
fs.writeFileSync('wide.txt', Buffer.from('a😀b', 'utf16le'));
console.log((await all(fs.createReadStream('wide.txt', { encoding: 'utf16le', highWaterMark: 3 }))).join('')); // expect: a😀b
// Of handles.
const handle = await fsp.open('a.txt');
const lines = [];
for await (const line of handle.readLines()) lines.push(line);
console.log(JSON.stringify(lines), handle.fd); // expect: ["one","two","three","four","","last 😀é"] -1
const part = await fsp.open('a.txt');
console.log((await all(part.createReadStream({ start: 4, end: 6, autoClose: false, encoding: 'utf8' }))).join(), part.fd > 0); // expect: two true
await part.close();
const out = await fsp.open('out.txt', 'w');
await new Promise((done) => { out.createWriteStream().on('close', done).end('through a handle'); });
console.log(fs.readFileSync('out.txt', 'utf8'), out.fd); // expect: through a handle -1
const fd = fs.openSync('a.txt');
console.log((await all(fs.createReadStream('ignored', { fd, start: 0, end: 2 }))).toString()); // expect: one
// What is destroyed ends, and one that is aborted fails.
await new Promise((done) => {
  const told = [];
  fs.createReadStream('a.txt').on('error', (e) => told.push(e.message)).on('close', () => { console.log(told.join()); done(); }).destroy(new Error('mine')); // expect: mine
});
console.log(await all(fs.createReadStream('a.txt', { signal: AbortSignal.abort() })).catch((e) => e.name)); // expect: AbortError
console.log(await all(fs.createReadStream('nope')).catch((e) => e.code)); // expect: ENOENT
