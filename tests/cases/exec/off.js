// Without a list of the operator's nothing runs; listing the module is no error.
// flags: --module exec --root ROOT
const exec = require('exec');
try { exec.run('/bin/echo', ['x']); } catch (e) { console.log(e.code, e.message); } // expect: UNAVAILABLE module 'exec' can't be used here: the operator lists no programs (serve --allow-exec)
console.log(await exec.execFile('echo').catch((e) => e.code)); // expect: UNAVAILABLE
