// Every way out of the root is an Error of JavaScript with a message, and reads nothing.
// flags: --module fs --root ROOT
// secret: the secret
// link: out ../secret.txt
// link: outdir ..
// link: loop loop
// link: absolute /etc/hostname
// file: sub/file.txt inside
const fs = require('fs');
const bad = ['../secret.txt', 'sub/../../secret.txt', 'SECRET', '/etc/hostname', 'out', 'outdir/secret.txt', 'loop', 'absolute', 'nul\0byte',
  '/', '..', '.', '', 'sub', 'sub/', 'sub/file.txt/', './../secret.txt', '//etc/hostname', '/proc/self/environ', 'sub/file.txt/../../../secret.txt'];
for (const path of bad) {
  try { console.log('read', path, fs.readFileSync(path)); }
  catch (e) { if (!(e instanceof Error) || !e.message || /secret\.txt.*the secret/.test(e.message)) console.log(path, e); }
  try { fs.writeFileSync(path, 'overwritten'); console.log('wrote', path); }
  catch (e) { if (!(e instanceof Error) || !e.message) console.log(path, e); }
}
console.log(bad.filter((p) => fs.existsSync(p)).join() || 'none'); // expect: .,sub,sub/
console.log(fs.readFileSync('sub/file.txt')); // expect: inside
