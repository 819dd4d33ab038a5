// What would take too much is an Error that says so, and the session goes on.
// flags: --module database={"size_mb":1,"memory_mb":16} --root ROOT --cpu-ms 20000 --wall-ms 30000
// within-ms: 30000
const database = require('database');
const db = database.open('a.db'), memory = database.open(':memory:');
const failed = (f) => { try { f(); return 'worked'; } catch (e) { return `${e.code} ${e.message}`.slice(0, 90); } };
const counter = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)';
for (const sql of ['SELECT zeroblob(1e9)', "SELECT printf('%.*c', 1000000000, 'x')", 'SELECT randomblob(1000000000)', `SELECT group_concat(x, printf('%.*c', 1000, 'x')) FROM (${counter} SELECT x FROM c LIMIT 100000)`,
  "SELECT hex(zeroblob(4000000))", "SELECT replace(printf('%.*c', 4000000, 'a'), 'a', 'bb')", 'SELECT ' + '-'.repeat(1 << 20) + '1']) if (!failed(() => memory.query(sql)).startsWith('SQLITE_TOOBIG')) console.log(sql.slice(0, 80), failed(() => memory.query(sql)));
console.log(memory.query('SELECT length(zeroblob(4194304)) AS n')[0].n, failed(() => memory.query('SELECT zeroblob(4194305)'))); // expect: 4194304 SQLITE_TOOBIG string or blob too big
console.log(failed(() => memory.query(`SELECT ${'1+'.repeat(198)}1 AS x`)), failed(() => memory.query(`SELECT ${'1+'.repeat(200)}1`))); // expect: worked SQLITE_ERROR Expression tree is too large (maximum depth 200)
console.log(failed(() => memory.query('SELECT ' + '('.repeat(100000) + '1' + ')'.repeat(100000))).slice(0, 12)); // expect: SQLITE_ERROR
console.log(failed(() => memory.query('SELECT 1' + ' UNION SELECT 1'.repeat(99))), failed(() => memory.query('SELECT 1' + ' UNION SELECT 1'.repeat(100)))); // expect: worked SQLITE_ERROR too many terms in compound SELECT
console.log(failed(() => memory.query(`${counter} SELECT randomblob(100000) FROM c ORDER BY 1`))); // expect: SQLITE_NOMEM out of memory: SQLite has 16 MiB in this session (memory_mb of the grant)
console.log(failed(() => { memory.exec('CREATE TABLE m (x)'); for (;;) memory.exec('INSERT INTO m VALUES (randomblob(100000))'); })); // expect: SQLITE_FULL database or disk is full (size_mb of the grant: 1 MiB a database)
db.exec('CREATE TABLE t (x)');
let rows = 0;
console.log(failed(() => { for (;;) { db.exec('INSERT INTO t VALUES (randomblob(50000))'); rows++; } })); // expect: SQLITE_FULL database or disk is full (size_mb of the grant: 1 MiB a database)
console.log(rows > 15 && rows < 21, db.query('SELECT count(*) AS n FROM t')[0].n === rows); // expect: true true
const open = [db, memory];
console.log(failed(() => { while (open.length < 9) open.push(database.open(':memory:')); }), open.length); // expect: ETOOMANY more than 8 databases are open 8
const cursors = [];
console.log(failed(() => { for (;;) { const c = memory.iterate(`${counter} SELECT x FROM c LIMIT 2000`); c.next(); cursors.push(c); } }), cursors.length); // expect: ETOOMANY more than 16 iterators of this database are open 16
cursors[0].return();
console.log(memory.iterate('SELECT 1').next().done); // expect: false
console.log(failed(() => memory.query(`${counter} SELECT x FROM c LIMIT 2000000`))); // expect: SQLITE_TOOBIG the result is larger than 41943040 bytes: ask for less of it, or use `iterat
// instr of SQLite's own would take hours.
console.log(memory.query("SELECT instr(printf('%.*c', 4000000, 'a'), printf('%.*c', 2000000, 'a') || 'b') AS i")[0].i); // expect: 0
