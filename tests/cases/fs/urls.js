// The root of a `file:` URL is the session's; no form of a path leads out of it.
// not-node: its root is the machine's
// flags: --module fs --module path --module url --root ROOT
// file: a.txt hello
// file: dir/é.txt spaced
// link: out ..
const fs = require('fs'), fsp = require('fs/promises'), { pathToFileURL } = require('url'), { resolve } = require('path');
const code = (f) => { try { return f(); } catch (e) { return `${e.name} ${e.code} ${e.message}`; } };
console.log(fs.readFileSync(new URL('file:///a.txt')), fs.readFileSync(new URL('file:///dir/%C3%A9.txt')), fs.readdirSync(new URL('file:///')).join(), await fsp.readFile(pathToFileURL(resolve('a.txt')))); // expect: hello spaced a.txt,dir,out hello
fs.writeFileSync(new URL('file://localhost/dir/new.txt'), 'n');
fs.renameSync(new URL('file:///dir/new.txt'), new URL('file:///moved.txt'));
fs.copyFileSync(new URL('file:///moved.txt'), Buffer_('copied.txt'));
console.log(fs.readFileSync('moved.txt'), fs.readFileSync('copied.txt'), fs.existsSync(new URL('file:///moved.txt')), fs.statSync(new URL('file:///a.txt')).size); // expect: n n true 5
const chunks = [];
for await (const chunk of fs.createReadStream(new URL('file:///a.txt'), 'utf8')) chunks.push(chunk);
console.log(chunks.join()); // expect: hello
console.log(code(() => fs.readFileSync(new URL('file:///../../etc/passwd')))); // expect: Error ENOENT ENOENT: no such file or directory, open 'etc/passwd'
console.log(code(() => fs.readFileSync(new URL('file:////etc/passwd')))); // expect: Error ENOENT ENOENT: no such file or directory, open 'etc/passwd'
console.log(code(() => fs.readFileSync({ href: 'x', protocol: 'file:', hostname: '', pathname: '/a.txt' }))); // expect: TypeError ERR_INVALID_ARG_TYPE readFileSync: argument 1 (path): expected a string, a Uint8Array or a URL, got object
console.log(code(() => fs.readFileSync(new URL('file:///out/secret.txt')))); // expect: Error EACCES EACCES: permission denied or outside of the root directory, open 'out/secret.txt'
console.log(code(() => fs.readFileSync(Buffer_('../secret.txt')))); // expect: Error EACCES EACCES: permission denied or outside of the root directory, open '../secret.txt'
console.log(code(() => fs.readFileSync(new URL('file:///a%00b')))); // expect: Error EINVAL EINVAL: path has a NUL byte, open 'a\0b'
console.log(code(() => fs.readFileSync(new Uint8Array([0xff])))); // expect: TypeError ERR_INVALID_ARG_VALUE The argument 'path' must be UTF-8. Received an instance of Uint8Array
console.log(code(() => fs.symlinkSync(new URL('file:///a.txt'), 'link')).slice(0, 12), fs.existsSync('link')); // expect: Error EACCES false
// A getter of the script is not asked.
let asked = 0;
class Odd extends URL { get pathname() { asked++; return '/../secret.txt'; } }
console.log(fs.readFileSync(new Odd('file:///a.txt')), asked); // expect: hello 0
// What asks for more than can be kept is refused.
console.log(code(() => fs.openSync('a.txt', 1052672)).slice(0, 31)); // expect: TypeError ERR_INVALID_ARG_VALUE
function Buffer_(text) { return new TextEncoder().encode(text); }
