// What SQL would reach beyond its database is refused, and the session goes on.
// flags: --module database --root ROOT
// secret: the secret
const database = require('database');
const db = database.open('a.db');
db.exec('CREATE TABLE t (x)');
const refused = [
  "ATTACH 'b.db' AS b", "ATTACH ':memory:' AS b", "ATTACH '' AS b", "ATTACH 'SECRET' AS b", "ATTACH 'file:/etc/passwd?mode=ro' AS b", "ATTACH 'b' || '.db' AS b", 'DETACH main',
  'VACUUM', "VACUUM INTO 'c.db'", "VACUUM INTO '../c.db'", "VACUUM INTO 'file:c.db'",
  'PRAGMA writable_schema = 1', 'PRAGMA writable_schema(RESET)', "PRAGMA temp_store_directory = '/tmp'", "PRAGMA data_store_directory = '/tmp'", 'PRAGMA temp_store = FILE', 'PRAGMA journal_mode = WAL', 'PRAGMA main.journal_mode = OFF', 'PRAGMA mmap_size = 1000000',
  'PRAGMA max_page_count = 1000000000', 'PRAGMA page_size = 65536', 'PRAGMA trusted_schema = 1', 'PRAGMA hard_heap_limit = 1000', 'PRAGMA soft_heap_limit = 1000', 'PRAGMA threads = 8', 'PRAGMA cache_size = 1000000', 'PRAGMA busy_timeout = 100000', 'PRAGMA locking_mode = EXCLUSIVE', 'PRAGMA database_list', 'PRAGMA module_list', 'PRAGMA wal_checkpoint', 'PRAGMA schema_version = 7', 'PRAGMA cell_size_check = 0', 'PRAGMA nonsense',
  'SELECT * FROM pragma_database_list', "SELECT * FROM pragma_temp_store_directory", "UPDATE sqlite_schema SET sql = ''", "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, '')", "DELETE FROM sqlite_schema",
  "SELECT load_extension('x.so')", "SELECT load_extension('x.so', 'y')", "SELECT readfile('/etc/passwd')", "SELECT writefile('x', 'y')", "SELECT fts3_tokenizer('simple')", "SELECT fts3_tokenizer('x', x'00')", "SELECT edit('x')",
  'CREATE VIRTUAL TABLE v USING fts3(x)', 'CREATE VIRTUAL TABLE v USING fts4(x)', 'CREATE VIRTUAL TABLE v USING rtree(a, b, c)', 'CREATE VIRTUAL TABLE v USING dbstat', "CREATE VIRTUAL TABLE v USING csv(filename='/etc/passwd')", 'SELECT * FROM dbstat', 'SELECT * FROM sqlite_dbpage', "SELECT * FROM zipfile('x')", "SELECT * FROM fsdir('/')", 'SELECT * FROM bytecode',
  "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT load_extension('x'); END; INSERT INTO t VALUES (1)", "CREATE VIEW w AS SELECT load_extension('x'); SELECT * FROM w",
];
for (const sql of refused) {
  try { db.exec(sql); console.log('worked', sql); } catch (e) { if (!/^SQLITE_(AUTH|ERROR)$/.test(e.code)) console.log(sql, e.code, e.message); }
}
console.log(JSON.stringify(db.query('SELECT name FROM sqlite_schema WHERE name NOT IN (?, ?)', ['w', 'g']))); // expect: [{"name":"t"}]
try { db.exec('PRAGMA mmap_size = 1'); } catch (e) { console.log(e.code, e.message); } // expect: SQLITE_AUTH not authorized: PRAGMA mmap_size is not available
for (const sql of ['PRAGMA user_version = 3', 'PRAGMA user_version', 'PRAGMA table_info(t)', 'PRAGMA journal_mode', 'PRAGMA foreign_keys = OFF', 'PRAGMA integrity_check', 'CREATE VIRTUAL TABLE f USING fts5(body)', "INSERT INTO f VALUES ('some words')", "SELECT * FROM f('word*')", "SELECT value FROM json_each('[1]')", 'CREATE TEMP TABLE tt (x)']) db.exec(sql);
console.log(JSON.stringify(db.query('SELECT instr(?, ?) AS i, replace(?, ?, ?) AS r, trim(?, ?) AS t, ltrim(?, ?) AS l', 'éabc', 'b', 'aXbX', 'X', '--', 'xyaxy', 'yx', 'aab', 'a'))); // expect: [{"i":3,"r":"a--b--","t":"a","l":"b"}]
