// The same on another thread: its CPU time is the script's.
// flags: --module database --cpu-ms 300
// exit: 124
// expect-error: CPU_LIMIT_EXCEEDED
// within-ms: 6000
const db = require('database').open(':memory:');
await db.promises.query('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c').catch(() => 0);
for (;;) await null;
