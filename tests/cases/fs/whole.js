// The whole of `fs` in Node's shapes; `node /this/file` in an empty directory says the same, but for what a file without an encoding is.
// flags: --module fs --root ROOT
const fs = require('fs'), { promises } = fs;
const code = (f) => { try { f(); return 'worked'; } catch (e) { return [e.code, e.syscall, e.path, e.dest].filter(Boolean).join(' '); } };
console.log(fs.mkdirSync('a/b/c', { recursive: true }), fs.mkdirSync('a/b', { recursive: true }), fs.mkdirSync('a/d')); // expect: a undefined undefined
fs.writeFileSync('a/x.txt', 'héllo');
fs.appendFileSync('a/x.txt', new Uint8Array([33, 10]));
console.log(JSON.stringify(fs.readFileSync('a/x.txt', 'utf8')), fs.readFileSync('a/x.txt', 'hex'), fs.readFileSync('a/x.txt', { encoding: 'base64' })); // expect: "héllo!\n" 68c3a96c6c6f210a aMOpbGxvIQo=
console.log(fs.readFileSync('a/x.txt', { encoding: null }) instanceof Uint8Array, fs.readFileSync('a/x.txt', 'latin1').length); // expect: true 8
for (const data of [new Uint8Array([1, 2, 3]), new Uint8Array([1, 2, 3]).buffer, new DataView(new Uint8Array([0, 1, 2, 3, 4]).buffer, 1, 3)]) fs.writeFileSync('a/y', data), console.log(fs.readFileSync('a/y', 'hex'));
// expect: 010203
// expect: 010203
// expect: 010203
fs.writeFileSync('a/y', '00ff', 'hex');
const stats = fs.statSync('a/y');
console.log(stats.size, stats.isFile(), stats.isDirectory(), stats.mtime instanceof Date, Math.abs(stats.mtimeMs - Date.now()) < 60000, 'uid' in stats, 'ino' in stats); // expect: 2 true false true true false false
console.log(fs.statSync('none', { throwIfNoEntry: false }), fs.statSync('a').isDirectory()); // expect: undefined true
fs.symlinkSync('x.txt', 'a/link');
console.log(fs.lstatSync('a/link').isSymbolicLink(), fs.statSync('a/link').isFile(), fs.readlinkSync('a/link'), fs.realpathSync('a/b/../link')); // expect: true true x.txt a/x.txt
console.log(fs.readdirSync('a').join()); // expect: b,d,link,x.txt,y
console.log(fs.readdirSync('.', { recursive: true }).join()); // expect: a,a/b,a/b/c,a/d,a/link,a/x.txt,a/y
console.log(fs.readdirSync('.', { recursive: true, withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => e.parentPath + '|' + e.name).join()); // expect: .|a,./a|b,./a/b|c,./a|d
fs.renameSync('a/y', 'a/b/z');
fs.copyFileSync('a/x.txt', 'a/copy');
console.log(fs.existsSync('a/y'), fs.readFileSync('a/copy') === fs.readFileSync('a/x.txt'), code(() => fs.copyFileSync('a/x.txt', 'a/copy', fs.constants.COPYFILE_EXCL))); // expect: false true EEXIST copyfile a/x.txt a/copy
fs.truncateSync('a/copy', 2); fs.utimesSync('a/copy', 1, 2);
console.log(fs.statSync('a/copy').size, fs.statSync('a/copy').mtimeMs); // expect: 2 2000
console.log([() => fs.readFileSync('none'), () => fs.readdirSync('a/x.txt'), () => fs.mkdirSync('a'), () => fs.rmdirSync('a'), () => fs.unlinkSync('a'), () => fs.readFileSync('a'), () => fs.renameSync('none', 'b'), () => fs.accessSync('none'), () => fs.openSync('a/x.txt', 'wx'), () => fs.readlinkSync('a/x.txt'), () => fs.closeSync(77)].map(code).join('; '));
// expect: ENOENT open none; ENOTDIR scandir a/x.txt; EEXIST mkdir a; ENOTEMPTY rmdir a; EISDIR unlink a; EISDIR open a; ENOENT rename none b; ENOENT access none; EEXIST open a/x.txt; EINVAL readlink a/x.txt; EBADF close
try { fs.readFileSync('none'); } catch (e) { console.log(e.message, e.errno, e instanceof Error); } // expect: ENOENT: no such file or directory, open 'none' -2 true
const temporary = fs.mkdtempSync('a/t-');
console.log(/^a\/t-\w{6}$/.test(temporary), fs.statSync(temporary).isDirectory()); // expect: true true
fs.rmSync('a', { recursive: true });
console.log(fs.existsSync('a'), code(() => fs.rmSync('a')), fs.rmSync('a', { force: true })); // expect: false ENOENT unlink a undefined

const fd = fs.openSync('h', 'w+');
console.log(fs.writeSync(fd, 'hello world'), fs.writeSync(fd, new Uint8Array([74]), 0, 1, 0), fs.fstatSync(fd).size); // expect: 11 1 11
const into = new Uint8Array(8);
console.log(fs.readSync(fd, into, 0, 8, 0), String.fromCharCode(...into), fs.readSync(fd, into, 2, 3, 6), String.fromCharCode(...into)); // expect: 8 Jello wo 3 Jewor wo
console.log(fs.readSync(fd, into), fs.ftruncateSync(fd, 5), fs.closeSync(fd), code(() => fs.readSync(fd, into)), fs.readFileSync('h')); // expect: 0 undefined undefined EBADF read Jello
const open = []; // expect: EMFILE open h 64
console.log(code(() => { for (;;) open.push(fs.openSync('h')); }), open.length);
open.forEach((fd) => fs.closeSync(fd));

console.log(require('fs/promises') === promises, require('node:fs/promises') === promises, require('node:fs') === fs); // expect: true true true
await promises.mkdir('p/q', { recursive: true });
await Promise.all(Array.from({ length: 50 }, (_, i) => promises.writeFile(`p/q/${i}`, String(i))));
console.log((await promises.readdir('p/q')).length, (await promises.readFile('p/q/49')), (await promises.stat('p/q/7')).size); // expect: 50 49 1
console.log(await promises.readFile('none').catch((e) => `${e.code} ${e.syscall} ${e.path} ${e.message}`)); // expect: ENOENT open none ENOENT: no such file or directory, open 'none'
const handle = await promises.open('p/h', 'w+');
await handle.write('some text');
console.log((await handle.read(new Uint8Array(4), 0, 4, 5)).bytesRead, (await handle.stat()).size, await handle.close()); // expect: 4 9 undefined
console.log(await new Promise((done) => fs.readFile('p/h', 'utf8', (error, text) => done([error, text].join())))); // expect: ,some text
console.log(await new Promise((done) => fs.stat('none', (error) => done(error.code)))); // expect: ENOENT
fs.writeFileSync('big', 'x'.repeat(100000));
let sizes = [];
for await (const chunk of fs.createReadStream('big', { highWaterMark: 30000 })) sizes.push(chunk.length);
console.log(sizes.join()); // expect: 30000,30000,30000,10000
console.log(await new Promise((done) => { let n = 0; fs.createReadStream('big', { start: 5, end: 14 }).on('data', (c) => n += c.length).on('end', () => done(n)); })); // expect: 10
console.log(await new Promise((done) => fs.createReadStream('none').on('error', (e) => done(e.code)).resume())); // expect: ENOENT
await new Promise((done) => fs.createReadStream('big').pipe(fs.createWriteStream('copy')).on('close', done));
console.log(fs.statSync('copy').size); // expect: 100000
await promises.rm('p', { recursive: true });
console.log(fs.readdirSync('.').join()); // expect: big,copy,h

// With callbacks, and as promises.
const failed = (error) => [error.code, error.syscall, error.path, error.dest].filter(Boolean).join(' ');
const told = (ask) => new Promise((done) => ask((error, value) => done(error ? failed(error) : value)));
console.log(await told((f) => fs.mkdir('c', f)), await told((f) => fs.writeFile('c/a', 'one', f))); // expect: undefined undefined
console.log(await told((f) => fs.appendFile('c/a', ' two', f)), await told((f) => fs.copyFile('c/a', 'c/b', f)));
// expect: undefined undefined
console.log(await told((f) => fs.rename('c/b', 'c/d', f)), await told((f) => fs.readFile('c/d', 'utf8', f)));
// expect: undefined one two
fs.symlinkSync('a', 'c/link');
console.log((await told((f) => fs.readdir('c', f))).join()); // expect: a,d,link
console.log((await told((f) => fs.lstat('c/link', f))).isSymbolicLink()); // expect: true
console.log((await told((f) => fs.stat('c/link', f))).size); // expect: 7
console.log(await told((f) => fs.unlink('c/link', f)), fs.existsSync('c/a')); // expect: undefined true
for (const ask of [
  (f) => fs.unlink('c/link', f), (f) => fs.lstat('c/link', f), (f) => fs.rename('c/link', 'c/x', f),
  (f) => fs.copyFile('none', 'c/x', f), (f) => fs.appendFile('c', 'x', f), (f) => fs.mkdir('c', f),
]) console.log(await told(ask));
// expect: ENOENT unlink c/link
// expect: ENOENT lstat c/link
// expect: ENOENT rename c/link c/x
// expect: ENOENT copyfile none c/x
// expect: EISDIR open c
// expect: EEXIST mkdir c
await promises.appendFile('c/a', '!');
await promises.copyFile('c/a', 'c/d');
await promises.rename('c/d', 'c/e');
await promises.unlink('c/a');
console.log(await promises.readFile('c/e', 'utf8'), (await promises.lstat('c/e')).isFile()); // expect: one two! true
console.log((await promises.readdir('c')).join()); // expect: e
console.log(await told((f) => fs.rm('c', { recursive: true }, f)), fs.existsSync('c')); // expect: undefined false
