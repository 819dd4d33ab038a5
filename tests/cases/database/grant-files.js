// A grant without files.
// flags: --module database={"access":"none"} --root ROOT
const database = require('database');
try { database.open('x.db'); } catch (e) { console.log(e.code, e.message); } // expect: NOT_GRANTED a database in a file: not granted; `access` of module 'database' in the template would have to
console.log(JSON.stringify(database.open(':memory:').query('SELECT 1 AS x'))); // expect: [{"x":1}]
