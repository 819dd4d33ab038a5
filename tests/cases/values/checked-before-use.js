// An argument is converted before the call, so a getter or toString can't change it between check and use.
// flags: --module fs --root ROOT
const fs = require('fs');
let calls = 0;
try { fs.readFileSync({ toString() { calls++; return 'a'; }, valueOf() { calls++; return 'a'; }, get length() { calls++; return 1; } }); }
catch (e) { console.log(e.name, calls); } // expect: TypeError 0
try { fs.readFileSync(new Proxy({}, { get() { calls++; } })); } catch (e) { console.log(e.name, calls); } // expect: TypeError 0
try { fs.readFileSync(new String('a')); } catch (e) { console.log(e.name); } // expect: TypeError
