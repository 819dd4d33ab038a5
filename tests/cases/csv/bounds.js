// Both sides of the bound on text, rows in bulk, getters.
// flags: --module csv --cpu-ms 20000 --wall-ms 60000
// within-ms: 30000
const c = require('node:csv');
const code = (f) => { try { return f(); } catch (e) { return e.code ?? e.name; } };
const rows = Array.from({ length: 20000 }, (_, i) => [i, 'name ' + i, i / 4]);
const text = c.stringify(rows), back = c.parse(text, { columns: ['a', 'b', 'c'], cast: true });
console.log(text.split('\n').length, back.length, JSON.stringify(back[19999])); // expect: 20001 20000 {"a":19999,"b":"name 19999","c":4999.75}
// A byte that takes six in JSON, just inside and outside of what a call may bring.
console.log(code(() => c.parse('\0'.repeat(1 << 20))[0][0].length), code(() => c.parse('\0'.repeat(8 << 20)))); // expect: 1048576 ERR_BUFFER_TOO_LARGE
console.log(code(() => c.parse('"'.repeat(1e6)).length), code(() => c.parse('a,'.repeat(1e6))[0].length)); // expect: 1 1000001
let asked = 0;
c.parse('a', { get delimiter() { asked++; return ','; }, get columns() { asked++; return false; } });
console.log(asked, code(() => c.stringify([{ get a() { throw new RangeError('own'); } }]))); // expect: 2 RangeError
const cyclic = {}; cyclic.self = cyclic;
console.log(code(() => c.stringify([[cyclic]])), JSON.stringify(c.stringify([[1], { a: 2 }]))); // expect: TypeError "a\n1\n2\n"
