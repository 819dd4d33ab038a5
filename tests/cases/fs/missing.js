// A file that isn't there is an error that says so.
// flags: --module fs --root ROOT
// exit: 1
// expect-error: missing.txt
require('fs').readFileSync('missing.txt');
