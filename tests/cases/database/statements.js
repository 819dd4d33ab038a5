// Prepared statements, iterators, transactions.
// flags: --module database --root ROOT
const database = require('database');
const db = database.open('a.db');
const failed = (f) => { try { f(); return 'worked'; } catch (e) { return `${e.code ?? e.name} ${e.message}`; } };
db.exec('CREATE TABLE t (x INTEGER UNIQUE)');
const insert = db.prepare('INSERT INTO t VALUES (?)'), all = db.prepare('SELECT x FROM t ORDER BY x');
console.log(insert.parameters, insert.readonly, all.readonly, JSON.stringify(all.columns), all.sql); // expect: 1 false true ["x"] SELECT x FROM t ORDER BY x
console.log(all.get(), JSON.stringify(insert.run(1)), JSON.stringify(all.get())); // expect: undefined {"success":true,"rowsAffected":1,"lastInsertId":1} {"x":1}
console.log(db.transaction(() => { for (let x = 2; x <= 2000; x++) insert.run(x); return db.inTransaction; }), db.inTransaction); // expect: true false
let sum = 0;
for (const { x } of all.iterate()) sum += x;
console.log(sum, all.all().length); // expect: 2001000 2000
for (const { x } of db.iterate('SELECT x FROM t')) if (x > 1) break;
console.log(failed(() => db.transaction(() => { insert.run(5000); insert.run(1); }))); // expect: SQLITE_CONSTRAINT_UNIQUE UNIQUE constraint failed: t.x
console.log(failed(() => db.transaction(() => { insert.run(5000); throw new RangeError('no'); })), db.inTransaction); // expect: RangeError no false
console.log(failed(() => db.transaction(async () => { insert.run(5000); }))); // expect: TypeError the function of a transaction is asynchronous: use promises.transaction
db.transaction(() => {
  insert.run(3000);
  console.log(failed(() => db.transaction(() => { insert.run(3001); throw new Error('inner'); }))); // expect: Error inner
  db.transaction(() => insert.run(3002));
});
console.log(JSON.stringify(db.query('SELECT x FROM t WHERE x > 2000'))); // expect: [{"x":3000},{"x":3002}]
console.log(failed(() => db.transaction(() => {}, { mode: 'odd' }))); // expect: TypeError transaction: mode is deferred, immediate or exclusive
const other = database.open('a.db');
db.exec('BEGIN IMMEDIATE');
console.log(db.inTransaction, other.query('SELECT count(*) AS n FROM t')[0].n); // expect: true 2002
db.exec('ROLLBACK');
const rows = all.iterate();
rows.next();
db.close();
console.log(db.open, failed(() => all.all()), failed(() => rows.next().done)); // expect: false SQLITE_MISUSE the database is not open worked
