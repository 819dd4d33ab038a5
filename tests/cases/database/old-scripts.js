// What old scripts call: configure, query, exec, close; one database for the session.
// flags: --module database --root ROOT
const database = require('database');
const failed = (f) => { try { f(); return 'worked'; } catch (e) { return `${e.code} ${e.message}`; } };
console.log(failed(() => database.query('SELECT 1'))); // expect: SQLITE_MISUSE no database is configured: call configure("sqlite3", dsn) first
console.log(failed(() => database.configure('mysql', 'x'))); // expect: SQLITE_ERROR unknown driver 'mysql': there is sqlite3
console.log(database.configure('sqlite3', ':memory:')); // expect: undefined
console.log(JSON.stringify(database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n REAL)'))); // expect: {"success":true,"rowsAffected":0,"lastInsertId":0}
console.log(JSON.stringify(database.exec('INSERT INTO t (name, n) VALUES (?, ?)', 'a', 1.5))); // expect: {"success":true,"rowsAffected":1,"lastInsertId":1}
console.log(JSON.stringify(database.exec('INSERT INTO t (name, n) VALUES (?, ?), (?, ?)', ['b', 2, 'c', null]))); // expect: {"success":true,"rowsAffected":2,"lastInsertId":3}
console.log(JSON.stringify(database.query('SELECT * FROM t WHERE id > ? ORDER BY id', 1))); // expect: [{"id":2,"name":"b","n":2},{"id":3,"name":"c","n":null}]
console.log(JSON.stringify(database.query('SELECT count(*) AS n FROM t WHERE name IN (?, ?)', ['a', 'b']))); // expect: [{"n":2}]
console.log(JSON.stringify(database.exec('UPDATE t SET n = 0; DELETE FROM t WHERE id = 1'))); // expect: {"success":true,"rowsAffected":4,"lastInsertId":3}
console.log(failed(() => database.exec("INSERT INTO t (id) VALUES (2)"))); // expect: SQLITE_CONSTRAINT_PRIMARYKEY UNIQUE constraint failed: t.id
console.log(failed(() => database.query('SELEC 1'))); // expect: SQLITE_ERROR near "SELEC": syntax error
console.log(database.close(), database.close()); // expect: undefined undefined
console.log(failed(() => database.query('SELECT 1')).slice(0, 15)); // expect: SQLITE_MISUSE n
database.configure('sqlite3', 'file.db');
database.exec('CREATE TABLE t (x)');
database.exec('INSERT INTO t VALUES (7)');
database.configure('sqlite3', 'file.db');
console.log(JSON.stringify(database.query('SELECT * FROM t'))); // expect: [{"x":7}]
