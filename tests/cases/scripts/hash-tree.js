// Walks a tree, hashes every file, and tells what has changed since the last time.
// flags: --module fs --module path --module crypto --root ROOT
// file: site/index.html <h1>hello</h1>
// file: site/css/main.css body { margin: 0 }
// file: site/css/dark/night.css body { color: #fff }
// file: site/img/logo.svg <svg/>
// file: site/.well-known/security.txt Contact: security@example.com
// file: site/notes/größe.txt ein Gruß
// link: site/latest index.html
const fs = require('fs');
const path = require('path');
const { createHash } = require('crypto');

function* walk(directory) {
  const entries = fs.readdirSync(directory, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const full = path.join(directory, entry.name);
    if (entry.isDirectory()) yield* walk(full);
    else if (entry.isFile()) yield full;
    else console.log('skipped', full, entry.isSymbolicLink());
  }
}

async function hash(file) {
  const sum = createHash('sha256');
  for await (const chunk of fs.createReadStream(file, { highWaterMark: 1024 })) sum.update(chunk);
  return sum.digest('hex');
}

async function snapshot(root) {
  const files = [...walk(root)];
  const sums = await Promise.all(files.map(hash));
  return Object.fromEntries(files.map((file, at) => [path.relative(root, file), sums[at]]));
}

function compare(before, after) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name) => {
    if (!(name in before)) return [`+ ${name}`];
    if (!(name in after)) return [`- ${name}`];
    return before[name] === after[name] ? [] : [`~ ${name}`];
  });
}

fs.writeFileSync('site/img/photo.bin', Uint8Array.from({ length: 5000 }, (_, at) => (at * 7) % 251));
const first = await snapshot('site');
for (const [name, sum] of Object.entries(first)) console.log(sum.slice(0, 16), name, path.extname(name) || '(none)');
const total = createHash('sha1');
for (const [name, sum] of Object.entries(first)) total.update(`${sum}  ${name}\n`);
console.log(total.digest('base64'));
fs.writeFileSync('site.json', JSON.stringify(first, null, 2));

fs.appendFileSync('site/css/main.css', '\n');
fs.renameSync('site/img/logo.svg', 'site/img/brand.svg');
fs.mkdirSync('site/js');
fs.copyFileSync('site/index.html', 'site/js/index.js');
fs.rmSync('site/css/dark', { recursive: true });
fs.utimesSync('site/index.html', 1, 2);
console.log(compare(JSON.parse(fs.readFileSync('site.json', 'utf8')), await snapshot('site')).join('\n'));
console.log(fs.statSync('site/index.html').mtimeMs, fs.statSync('site/img/photo.bin').size, fs.lstatSync('site/latest').isSymbolicLink());
try { await hash('site/css/dark/night.css'); } catch (e) { console.log(e.code, e.syscall, e.message); }
// expect: skipped site/latest true
// expect: fbb6f92e33a5b3ea .well-known/security.txt .txt
// expect: f667e2913b7823ac css/dark/night.css .css
// expect: 997faceca2605a98 css/main.css .css
// expect: d4dc56669143034f img/logo.svg .svg
// expect: 08026c57be31084b img/photo.bin .bin
// expect: 4db7ef630005c462 index.html .html
// expect: 042f3614338b828e notes/größe.txt .txt
// expect: FlsjLiH+iRbo8kLhAG8H27+Ieig=
// expect: skipped site/latest true
// expect: - css/dark/night.css
// expect: ~ css/main.css
// expect: + img/brand.svg
// expect: - img/logo.svg
// expect: + js/index.js
// expect: 2000 5000 true
// expect: ENOENT open ENOENT: no such file or directory, open 'site/css/dark/night.css'
