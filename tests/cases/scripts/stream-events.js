// Read streams by their events: a file is opened when its stream is made, whether anybody reads it or not.
// flags: --module fs --root ROOT
// file: a.txt some text
const fs = require('fs');
const event = (stream, name) => new Promise((resolve) => stream.once(name, resolve));

console.log((await event(fs.createReadStream('none'), 'error')).message); // expect: ENOENT: no such file or directory, open 'none'
console.log(typeof await event(fs.createReadStream('a.txt'), 'open')); // expect: number
const failing = fs.createReadStream('none'), heard = [];
for (const name of ['open', 'error', 'data', 'end', 'close']) failing.on(name, () => heard.push(name));
await event(failing, 'close');
console.log(heard.join()); // expect: error,close

// Renamed or removed before the first byte is asked for.
const early = fs.createReadStream('a.txt', { encoding: 'utf8' });
await event(early, 'open');
fs.renameSync('a.txt', 'b.txt');
fs.writeFileSync('a.txt', 'another');
let text = '';
for await (const chunk of early) text += chunk;
console.log(text); // expect: some text

// More than there are handles, each given up unread.
for (let at = 0; at < 100; at++) {
  const unread = fs.createReadStream('b.txt');
  unread.destroy();
  await event(unread, 'close');
}
console.log(fs.readFileSync('b.txt', 'utf8'), fs.createReadStream('b.txt').destroy().destroyed); // expect: some text true

// Read by hand, into another file.
const from = fs.createReadStream('b.txt', { highWaterMark: 4 }), into = fs.createWriteStream('c.txt');
const sizes = [];
from.on('data', (chunk) => { sizes.push(chunk.length); into.write(chunk); });
from.on('end', () => into.end());
await event(into, 'finish');
console.log(sizes.join(), fs.readFileSync('c.txt', 'utf8')); // expect: 4,4,1 some text
try { for await (const chunk of fs.createReadStream('none')) console.log(chunk); } catch (e) { console.log(e.code, e.syscall); } // expect: ENOENT open
