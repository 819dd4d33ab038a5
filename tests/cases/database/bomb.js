// A query without an end is stopped by the limit on CPU time.
// flags: --module database --cpu-ms 300
// exit: 124
// expect-error: CPU_LIMIT_EXCEEDED
// within-ms: 6000
const db = require('database').open(':memory:');
try { db.query('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c'); } catch (e) { console.log('caught'); }
