// Values keep their kind both ways; integers beyond 2^53 are BigInts.
// flags: --module database --root ROOT
const database = require('database');
const db = database.open(':memory:');
const back = (value, options) => { const { v, t } = db.prepare('SELECT ?1 AS v, typeof(?1) AS t', options).get(value); return `${t} ${typeof v} ${v}`; };
console.log(back(1), back(1.5), back(-0), back('é\0x').length); // expect: integer number 1 real number 1.5 integer number 0 15
console.log(back(null), back(undefined), back(true), back(false)); // expect: null object null null object null integer number 1 integer number 0
console.log(back(2n ** 53n), back(2n ** 63n - 1n)); // expect: integer bigint 9007199254740992 integer bigint 9223372036854775807
console.log(back(-(2n ** 63n)), back(5n), back(2 ** 60)); // expect: integer bigint -9223372036854775808 integer number 5 real number 1152921504606847000
console.log(back(5, { bigint: true }), back(NaN), back(Infinity)); // expect: integer bigint 5 null object null real number Infinity
console.log(back(new Uint8Array([1, 2])), back(new ArrayBuffer(1)), back(new Uint16Array([513]).subarray(0))); // expect: blob object 1,2 blob object 0 blob object 1,2
const blob = db.prepare('SELECT ? AS v').get(new Uint8Array(0)).v;
console.log(blob instanceof Uint8Array, blob.length); // expect: true 0
for (const bad of [new Date(0), {}, [[1]], () => 1, Symbol('s'), 2n ** 63n]) {
  try { db.query('SELECT ?', 1, bad); console.log('worked'); } catch (e) { console.log(e.name, /dates|can't bind|range|expected/.test(e.message)); }
}
// expect: TypeError true
// expect: TypeError true
// expect: TypeError true
// expect: TypeError true
// expect: TypeError true
// expect: TypeError true
console.log(JSON.stringify(db.query('SELECT :a AS a, @b AS b, $c AS c', { a: 1, '@b': 2, $c: 3 }))); // expect: [{"a":1,"b":2,"c":3}]
for (const given of [[], [1], [1, 2, 3], [{ a: 1 }], [{ a: 1, b: 2, c: 3 }]]) {
  try { db.query('SELECT :a, :b', ...given); console.log('worked'); } catch (e) { console.log(e.code, e.message); }
}
// expect: SQLITE_RANGE the statement has 2 parameters, 0 were given
// expect: SQLITE_RANGE the statement has 2 parameters, 1 were given
// expect: SQLITE_RANGE the statement has 2 parameters, 3 were given
// expect: SQLITE_RANGE the parameter :b of the statement was not given
// expect: SQLITE_RANGE the statement has no parameter 'c'
console.log(JSON.stringify(Object.keys(db.query('SELECT 1 AS __proto__, 2 AS x')[0]))); // expect: ["__proto__","x"]
