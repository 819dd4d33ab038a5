// Asynchronous calls take effect in the order in which they are made, among themselves and with others.
// flags: --module database --root ROOT
const database = require('database');
const db = database.open('a.db');
db.exec('CREATE TABLE t (x)');
const failed = (e) => `${e.code} ${e.message}`;
const before = db.promises.exec('INSERT INTO t VALUES (1)');
console.log(db.query('SELECT count(*) AS n FROM t')[0].n, (await before).lastInsertId); // expect: 1 1
await Promise.all([...Array(50)].map((_, x) => db.promises.exec('INSERT INTO t VALUES (?)', [x])));
console.log(db.query('SELECT count(*) AS n FROM t')[0].n); // expect: 51
const insert = db.prepare('INSERT INTO t VALUES (?)');
await db.promises.transaction(async (tx) => {
  tx.exec('DELETE FROM t');
  try { db.exec('INSERT INTO t VALUES (100)'); } catch (e) { console.log(failed(e)); } // expect: SQLITE_BUSY an asynchronous transaction is under way: use what its function is given, or await it
  insert.promises.run(200).then(() => console.log('after'));
  await tx.promises.exec('INSERT INTO t VALUES (1)');
  await new Promise((resolve) => setTimeout(resolve, 5));
  console.log(JSON.stringify(await tx.promises.query('SELECT x FROM t'))); // expect: [{"x":1}]
});
// expect: after
await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify(db.query('SELECT x FROM t'))); // expect: [{"x":1},{"x":200}]
let late;
const outcome = await db.promises.transaction(async (tx) => { late = tx; await tx.promises.exec('DELETE FROM t'); throw new Error('no'); }).catch(String);
console.log(outcome, db.query('SELECT count(*) AS n FROM t')[0].n, db.inTransaction); // expect: Error: no 2 false
try { late.exec('DELETE FROM t'); } catch (e) { console.log(failed(e)); } // expect: SQLITE_MISUSE the transaction is over
const many = db.prepare('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1500) SELECT x FROM c');
let sum = 0;
for await (const { x } of many.promises.iterate()) sum += x;
console.log(sum, (await many.promises.all()).length, (await many.promises.get()).x); // expect: 1125750 1500 1
console.log(await db.promises.query('SELEC').catch(failed)); // expect: SQLITE_ERROR near "SELEC": syntax error
database.configure('sqlite3', ':memory:');
await database.promises.exec('CREATE TABLE u (x)');
console.log(JSON.stringify(await database.promises.query('SELECT count(*) AS n FROM u'))); // expect: [{"n":0}]
// Transactions that are begun at once are done one after the other, and what comes after one is done after it.
db.exec('DELETE FROM t');
const add = (x) => db.promises.transaction(async (tx) => {
  await tx.promises.exec('INSERT INTO t VALUES (?)', x);
  await new Promise((resolve) => setTimeout(resolve, 2));
  if (x === 2) throw new Error('not 2');
  return (await tx.promises.query('SELECT group_concat(x) AS all_of FROM t'))[0].all_of;
});
const began = [1, 2, 3].map(add);
const then = db.promises.query('SELECT count(*) AS n FROM t');
console.log((await Promise.allSettled(began)).map((one) => one.value ?? one.reason.message).join(' | ')); // expect: 1 | not 2 | 1,3
console.log((await then)[0].n); // expect: 2
try { database.open(); } catch (e) { console.log(e.name, e.message); } // expect: TypeError expected the path of a database: ':memory:', or a file
