// The name of a module is normalised in `require` as it is in a template.
// flags: --module FS --root ROOT
// file: a.txt a
console.log(require('fs').readFileSync('a.txt')); // expect: a
