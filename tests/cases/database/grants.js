// What a grant leaves out is refused with its name.
// flags: --module database={"path":"data","access":"read-only","memory":false} --module fs --root ROOT
// file: data/x x
// file: above.db x
const database = require('database'), fs = require('fs');
const failed = (f) => { try { f(); return 'worked'; } catch (e) { return `${e.code} ${e.message}`; } };
console.log(failed(() => database.open(':memory:'))); // expect: NOT_GRANTED a database in memory: not granted; `memory` of module 'database' in the template would have to
console.log(failed(() => database.open('../above.db')).slice(0, 15)); // expect: SQLITE_CANTOPEN
console.log(failed(() => database.open('new.db')).slice(0, 15), fs.existsSync('data/new.db')); // expect: SQLITE_CANTOPEN false
