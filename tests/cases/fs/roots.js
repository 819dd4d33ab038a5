// What is granted is reached, what is beside it is not, whatever a path looks like.
// flags: --module fs={"roots":[{"path":"rw"},{"path":"ro","access":"read-only"},{"path":"rw/fixed","access":"read-only"}]} --root ROOT
// file: rw/a a
// file: rw/fixed/f f
// file: rw/sub/s s
// file: ro/b b
// file: other/c c
// link: rw/to-ro ../ro
// link: rw/to-other ../other
// link: rw/file-of-other ../other/c
// link: rw/to-fixed fixed
const fs = require('fs');
const code = (f) => { try { const v = f(); return typeof v === 'string' ? v : 'worked'; } catch (e) { return e.code; } };
console.log(code(() => fs.readFileSync('rw/a')), code(() => fs.readFileSync('ro/b')), code(() => fs.readFileSync('rw/to-ro/b')), code(() => fs.readFileSync('rw/fixed/f'))); // expect: a b b f
console.log(code(() => fs.writeFileSync('rw/new', '')), code(() => fs.writeFileSync('rw/sub/../new', ''))); // expect: worked worked
const outside = ['other/c', 'other', '.', 'other/none', 'rw/../other/c', 'rw/to-other/c', 'rw/to-other', 'rw/file-of-other', './/other/c', 'rw/to-other/../c', '..', '/', '../x'];
const reads = { readFileSync: (p) => fs.readFileSync(p), statSync: (p) => fs.statSync(p), readdirSync: (p) => fs.readdirSync(p), accessSync: (p) => fs.accessSync(p), realpathSync: (p) => fs.realpathSync(p),
  openSync: (p) => fs.openSync(p), copyFrom: (p) => fs.copyFileSync(p, 'rw/copied'), cwd: (p) => fs.readdirSync(p, { recursive: true }) };
for (const [name, f] of Object.entries(reads)) for (const path of outside) if (code(() => f(path)) !== 'EACCES') console.log(name, path, code(() => f(path)));
const writes = { writeFileSync: (p) => fs.writeFileSync(p, 'new'), appendFileSync: (p) => fs.appendFileSync(p, 'new'), mkdirSync: (p) => fs.mkdirSync(p + '/m'), rmSync: (p) => fs.rmSync(p + '/c', { recursive: true, force: true }), truncateSync: (p) => fs.truncateSync(p), utimesSync: (p) => fs.utimesSync(p, 0, 0),
  renameFrom: (p) => fs.renameSync(p + '/b', 'rw/moved'), renameTo: (p) => fs.renameSync('rw/a', p + '/moved'), copyTo: (p) => fs.copyFileSync('rw/a', p + '/copied'), symlinkSync: (p) => fs.symlinkSync('x', p + '/l'), mkdtempSync: (p) => fs.mkdtempSync(p + '/t'), unlinkSync: (p) => fs.unlinkSync(p + '/b'), rmdirSync: (p) => fs.rmdirSync(p + '/x') };
for (const [name, f] of Object.entries(writes)) {
  for (const path of ['other', '.', 'rw/to-other', 'rw/../other', '..', '/']) if (code(() => f(path)) !== 'EACCES') console.log(name, path, code(() => f(path)));
  for (const path of ['ro', 'rw/to-ro', 'rw/fixed', 'rw/to-fixed', 'rw/../ro']) if (!['EROFS', 'EISDIR'].includes(code(() => f(path)))) console.log(name, path, code(() => f(path)));
}
// Nobody moves or removes the directory that a rule is for, nor one above it.
console.log(code(() => fs.renameSync('rw', 'rw/x')), code(() => fs.rmSync('rw', { recursive: true })), code(() => fs.rmSync('rw/fixed', { recursive: true })), code(() => fs.renameSync('rw/fixed', 'rw/free')), code(() => fs.renameSync('rw/sub', 'rw/fixed')), code(() => fs.renameSync('rw/sub', 'rw/fixed/'))); // expect: EACCES EACCES EROFS EROFS EROFS EROFS
console.log(fs.existsSync('other/c'), fs.existsSync('rw/to-other'), fs.existsSync('rw'), fs.existsSync('.')); // expect: false false true false
console.log(fs.readFileSync('rw/fixed/f'), fs.readFileSync('ro/b'), fs.readFileSync('rw/a')); // expect: f b a
try { fs.readFileSync('other/c'); } catch (e) { console.log(e.message); } // expect: EACCES: permission denied: `roots` of module 'fs' in the template does not grant it, open 'other/c'
try { fs.writeFileSync('ro/n', ''); } catch (e) { console.log(e.message); } // expect: EROFS: read-only file system: `roots` of module 'fs' in the template grants reading only, open 'ro/n'
