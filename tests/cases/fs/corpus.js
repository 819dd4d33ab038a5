// Every operation with every way out: an Error, and nothing outside is read, made, changed or removed.
// flags: --module fs --root ROOT
// secret: the secret
// link: out ../secret.txt
// link: outdir ..
// link: proc /proc/self/root
// link: absolute /etc/hostname
// link: loop loop
// link: nowhere ../made-by-a-script
// file: sub/file.txt inside
const fs = require('fs');
const ways = ['../secret.txt', 'sub/../../secret.txt', 'SECRET', '/etc/hostname', 'out', 'outdir/secret.txt', 'loop', 'absolute', 'nul\0byte', '//etc/hostname', '/proc/self/environ',
  'proc/etc/hostname', 'nowhere', 'outdir/made', 'outdir/../x', 'sub/file.txt/../../../secret.txt', 'sub/file.txt/', 'out/', '..', '../', 'x'.repeat(5000), 'n'.repeat(300), '/', '../.', './..//secret.txt'];
const operations = {
  readFileSync: (p) => fs.readFileSync(p), writeFileSync: (p) => fs.writeFileSync(p, 'bad'), appendFileSync: (p) => fs.appendFileSync(p, 'bad'), truncateSync: (p) => fs.truncateSync(p, 1), statSync: (p) => fs.statSync(p),
  readdirSync: (p) => fs.readdirSync(p), mkdirSync: (p) => fs.mkdirSync(p), mkdirDeep: (p) => fs.mkdirSync(p + '/a/b', { recursive: true }), mkdtempSync: (p) => fs.mkdtempSync(p + '/t'), rmSync: (p) => fs.rmSync(p + '/secret.txt'), rmTree: (p) => fs.rmSync(p + '/secret.txt', { recursive: true }),
  rmdirSync: (p) => fs.rmdirSync(p), accessSync: (p) => fs.accessSync(p), realpathSync: (p) => fs.realpathSync(p), utimesSync: (p) => fs.utimesSync(p, 0, 0), openSync: (p) => fs.closeSync(fs.openSync(p)), openWrite: (p) => fs.closeSync(fs.openSync(p, 'w')),
  renameFrom: (p) => fs.renameSync(p + '/secret.txt', 'stolen'), renameTo: (p) => fs.renameSync('sub/file.txt', p + '/moved'), copyFrom: (p) => fs.copyFileSync(p, 'stolen'), copyTo: (p) => fs.copyFileSync('sub/file.txt', p), symlinkIn: (p) => fs.symlinkSync('x', p + '/l'), readlinkIn: (p) => fs.readlinkSync(p + '/x'), unlinkIn: (p) => fs.unlinkSync(p + '/secret.txt'), lstatIn: (p) => fs.lstatSync(p + '/secret.txt'),
};
for (const [name, f] of Object.entries(operations)) {
  for (const path of ways) {
    try { f(path); console.log(name, path, 'worked'); }
    catch (e) { if (!(e instanceof Error) || !/^E[A-Z]+$/.test(e.code) || e.message.length > 600 || e.message.includes('the secret')) console.log(name, path, e); }
  }
}
for (const target of ['../secret.txt', '/etc/hostname', '..', 'sub/../..', 'a/../../x', '', 'a\0b']) {
  try { fs.symlinkSync(target, 'made'); console.log('linked', target); } catch (e) { if (!e.code) console.log(e); }
}
console.log(fs.existsSync('stolen'), fs.readFileSync('sub/file.txt'), fs.readdirSync('.').join()); // expect: false inside absolute,loop,nowhere,out,outdir,proc,sub
// What are no separators and no dots elsewhere are none here.
for (const name of ['..\\secret', '\u2025', '\u2024\u2024', '\uff0e\uff0e', '%2e%2e', '...', '~', 'a:b', '\u202e']) {
  fs.writeFileSync(name, 'x');
  if (!fs.readdirSync('.').includes(name)) console.log('not here', name);
}
// The links themselves may be looked at, moved and removed; what they lead to stays.
console.log(fs.lstatSync('out').isSymbolicLink(), fs.readlinkSync('out')); // expect: true ../secret.txt
fs.renameSync('out', 'renamed'); fs.unlinkSync('renamed'); fs.rmSync('outdir', { recursive: true }); fs.rmSync('proc', { recursive: true });
