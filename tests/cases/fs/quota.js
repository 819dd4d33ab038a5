// A quota counts what this session writes and makes, to the byte and to the file.
// flags: --module fs={"quota_kb":1,"files_max":3} --root ROOT
// file: there 0123456789
const fs = require('fs');
const code = (f) => { try { f(); return 'worked'; } catch (e) { return e.code; } };
console.log(code(() => fs.writeFileSync('none/a', 'x'.repeat(1000))), code(() => fs.writeFileSync('a', 'x'.repeat(1025))), fs.existsSync('a')); // expect: ENOENT EDQUOT false
console.log(code(() => fs.writeFileSync('a', 'x'.repeat(1000)))); // expect: worked
console.log(code(() => fs.copyFileSync('there', 'b')), code(() => fs.appendFileSync('there', '0123456789'))); // expect: worked worked
console.log(code(() => fs.writeFileSync('a', 'xxxxx')), fs.statSync('a').size); // expect: EDQUOT 1000
console.log(code(() => fs.truncateSync('there', 25)), code(() => fs.truncateSync('there', 24)), fs.statSync('there').size); // expect: EDQUOT worked 24
console.log(code(() => fs.writeFileSync('a', '')), code(() => fs.mkdirSync('d')), code(() => fs.mkdirSync('e')), fs.existsSync('e')); // expect: worked worked EDQUOT false
fs.rmSync('d', { recursive: true });
console.log(code(() => fs.writeFileSync('c', '')), code(() => fs.symlinkSync('a', 'l')), code(() => fs.openSync('c', 'w')), code(() => fs.mkdtempSync('t')), fs.readdirSync('.').join()); // expect: EDQUOT EDQUOT EDQUOT EDQUOT a,b,there
try { fs.writeFileSync('c', ''); } catch (e) { console.log(e.message); } // expect: EDQUOT: quota exceeded: `files_max` of module 'fs' in the template, open 'c'
