// With fs listed, files of the root can be read and written.
// flags: --module fs --root ROOT
// file: greeting.txt hello
// file: sub/inner.txt inner
const fs = require('fs');
console.log(fs.readFileSync('greeting.txt'), fs.readFileSync('sub/inner.txt'), fs.readFileSync('./sub/../greeting.txt')); // expect: hello inner hello
console.log(fs.writeFileSync('new.txt', 'ünïcode ☃ 😀\n'), fs.readFileSync('new.txt') === 'ünïcode ☃ 😀\n'); // expect: undefined true
fs.writeFileSync('new.txt', 'replaced');
console.log(fs.readFileSync('new.txt')); // expect: replaced
console.log(fs.existsSync('new.txt'), fs.existsSync('sub'), fs.existsSync('nope'), fs.existsSync('../secret.txt')); // expect: true true false false
console.log(require('fs') === fs); // expect: true
fs.writeFileSync('empty', '');
console.log(JSON.stringify(fs.readFileSync('empty'))); // expect: ""
