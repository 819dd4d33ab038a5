// What Node's functions are given and answer: URLs and bytes as paths, open files, signals, callbacks with three arguments.
// flags: --module fs --module util --module url --module buffer --root ROOT
// file: a.txt hello
// file: dir/b.txt text
const fs = require('fs'), fsp = require('fs/promises'), { promisify } = require('util');
const { pathToFileURL } = require('url'), { Buffer } = require('buffer');
const code = (f) => { try { return f(); } catch (e) { return `${e.name} ${e.code} ${e.message}`; } };
const later = async (f) => { try { return await f(); } catch (e) { return `${e.name} ${e.code} ${e.message} ${e.syscall}`; } };
const called = (f, ...args) => new Promise((done) => f(...args, (...told) => done(told)));
const url = (name) => pathToFileURL(name);
// Callbacks have what was read into, or written, behind the count.
const fd = fs.openSync('a.txt', 'r+'), into = Buffer.alloc(5);
let told = await called(fs.read, fd, into, 0, 2, 0);
console.log(told[0], told[1], told[2] === into, into.toString('hex')); // expect: null 2 true 6865000000
told = await called(fs.read, fd, { buffer: into, position: 1 });
console.log(told[1], told[2] === into, into.toString('utf8', 0, 4)); // expect: 4 true ello
told = await called(fs.read, fd, into, { length: 1, position: 4 });
console.log(told[1], told[2] === into, into.toString('utf8', 0, 1)); // expect: 1 true o
told = await called(fs.read, fd);
console.log(told[1], told[2].length, Buffer.isBuffer(told[2])); // expect: 5 16384 true
told = await called(fs.write, fd, 'J', 0, 'utf8');
console.log(told[0], told[1], told[2]); // expect: null 1 J
told = await called(fs.write, fd, Buffer.from('xyz'), 1, 1, 4);
console.log(told[1], told[2].toString(), fs.readFileSync('a.txt', 'utf8')); // expect: 1 xyz Jelly
told = await called(fs.read, 99, into, 0, 1, 0);
console.log(told[0].code, told[1], told[2] === into); // expect: EBADF 0 true
console.log({ ...await promisify(fs.read)(fd, new Int8Array(3), 0, 3, 0) }, { ...await promisify(fs.write)(fd, 'h', 0) }); // expect: { bytesRead: 3, buffer: Int8Array(3) [ 74, 101, 108 ] } { bytesWritten: 1, buffer: 'h' }
console.log(await new Promise((done) => fs.exists('a.txt', done)), await new Promise((done) => fs.exists(undefined, done))); // expect: true false
console.log(await promisify(fs.exists)('a.txt'), await promisify(fs.exists)('nope'), await promisify(fs.stat)('a.txt').then((stats) => stats.size)); // expect: true false 5
const two = [Buffer.alloc(2), Buffer.alloc(9)];
console.log(fs.readvSync(fd, two, 0), two[0].toString(), two[1].toString('utf8', 0, 3), (await called(fs.readv, fd, two, 1))[1], (await promisify(fs.readv)(fd, two, 0)).bytesRead); // expect: 5 he lly 4 5
console.log(fs.writevSync(fd, [Buffer.from('He'), Buffer.from('LLO')], 0), (await called(fs.writev, fd, [Buffer.from('h')], 0)).slice(0, 2), fs.readFileSync('a.txt', 'utf8')); // expect: 5 [ null, 1 ] heLLO
fs.closeSync(fd);
// Paths.
fs.writeFileSync(Buffer.from('é.txt'), 'bytes');
console.log(fs.readFileSync('é.txt', 'utf8'), fs.readFileSync(new Uint8Array(Buffer.from('é.txt')), 'utf8'), fs.existsSync(Buffer.from('é.txt')), await fsp.readFile(Buffer.from('é.txt'), 'utf8')); // expect: bytes bytes true bytes
console.log(fs.existsSync(undefined), fs.existsSync(5), fs.existsSync({}), fs.existsSync(new URL('http://h/a.txt'))); // expect: false false false false
console.log(code(() => fs.readFileSync(new URL('http://h/a.txt')))); // expect: TypeError ERR_INVALID_URL_SCHEME The URL must be of scheme file
console.log(code(() => fs.readFileSync(new URL('file://h/a.txt')))); // expect: TypeError ERR_INVALID_FILE_URL_HOST File URL host must be "localhost" or empty on linux
console.log(code(() => fs.readFileSync(new URL('file:///a%2Fb.txt')))); // expect: TypeError ERR_INVALID_FILE_URL_PATH File URL path must not include encoded / characters
console.log(code(() => fs.readFileSync(Buffer.from('nope')))); // expect: Error ENOENT ENOENT: no such file or directory, open 'nope'
try { fs.statSync(Buffer.from('nope')); } catch (e) { console.log(e.path, e.errno, e.syscall); } // expect: nope -2 stat
// Open files in the place of paths: from where they are.
const open = fs.openSync('a.txt', 'r+');
console.log(fs.readFileSync(open, 'utf8'), fs.readFileSync(open, 'utf8') === '', fs.readFileSync(open, null).length); // expect: heLLO true 0
fs.writeFileSync(open, '+w');
fs.appendFileSync(open, Buffer.from('+a'));
await new Promise((done) => { fs.writeFile(open, '+cb', done); });
console.log(fs.readFileSync('a.txt', 'utf8'), (await called(fs.readFile, open, 'utf8'))[1] === ''); // expect: heLLO+w+a+cb true
fs.closeSync(open);
console.log(code(() => fs.writeFileSync(99, 'x')).slice(0, 45)); // expect: Error EBADF EBADF: bad file descriptor, write
const handle = await fsp.open('a.txt', 'r+');
console.log(await fsp.readFile(handle, 'utf8')); // expect: heLLO+w+a+cb
await fsp.appendFile(handle, '!');
await fsp.writeFile(handle, '616263', 'hex');
console.log(await fsp.readFile('a.txt', 'latin1')); // expect: heLLO+w+a+cb!abc
const got = await handle.read({ buffer: Buffer.alloc(2), position: 0 }), put = await handle.write('H', 0);
console.log(got.bytesRead, got.buffer.toString(), put.bytesWritten, put.buffer); // expect: 2 he 1 H
console.log((await handle.readv([Buffer.alloc(1)], 0)).buffers[0].toString(), (await handle.writev([Buffer.from('h')], 0)).bytesWritten); // expect: H 1
await handle.close();
await handle.close();
console.log(handle.fd); // expect: -1
for (const name of ['read', 'write', 'readFile', 'writeFile', 'appendFile', 'stat', 'truncate', 'readv', 'writev']) console.log(await later(() => handle[name]([Buffer.alloc(1)]))); // expect: Error EBADF file closed read
// expect: Error EBADF file closed write
// expect: Error EBADF file closed readFile
// expect: Error EBADF file closed writeFile
// expect: Error EBADF file closed writeFile
// expect: Error EBADF file closed fstat
// expect: Error EBADF file closed ftruncate
// expect: Error EBADF file closed readv
// expect: Error EBADF file closed writev
// Signals.
const signal = AbortSignal.abort('why');
for (const f of [() => fsp.readFile('a.txt', { signal }), () => fsp.writeFile('new.txt', 'x', { signal }), () => fsp.appendFile('new.txt', 'x', { signal })]) console.log(await f().catch((e) => `${e.name} ${e.code} ${e.message} ${e.cause}`)); // expect: AbortError ABORT_ERR The operation was aborted why
// expect: AbortError ABORT_ERR The operation was aborted why
// expect: AbortError ABORT_ERR The operation was aborted why
console.log((await called(fs.readFile, 'a.txt', { signal }))[0].name, fs.existsSync('new.txt')); // expect: AbortError false
const controller = new AbortController(), reading = fsp.readFile('a.txt', { signal: controller.signal });
controller.abort();
console.log(await reading.catch((e) => e.name), await fsp.readFile('a.txt', { encoding: 'utf8', signal: new AbortController().signal })); // expect: AbortError heLLO+w+a+cb!abc
console.log(await fsp.readFile('a.txt', { signal: 5 }).catch((e) => `${e.code} ${e.message}`)); // expect: ERR_INVALID_ARG_TYPE The "options.signal" property must be an instance of AbortSignal. Received type number (5)
// Constants, and what lies in a directory.
console.log(fs.F_OK, fs.R_OK, fs.W_OK, fs.X_OK, fs.constants.F_OK, fs.constants.S_IRUSR, fs.constants.S_IFIFO, fsp.constants === fs.constants, fs.constants.O_APPEND); // expect: 0 4 2 1 0 256 4096 true 1024
const [entry] = fs.readdirSync('dir', { withFileTypes: true });
console.log(entry.name, entry.path, entry.parentPath, Object.keys(entry).join()); // expect: b.txt dir dir name,parentPath,path
