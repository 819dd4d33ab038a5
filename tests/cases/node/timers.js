// flags: --module timers
const timers = require('timers'), { setTimeout: sleep, setImmediate: soon, setInterval: every, scheduler } = require('timers/promises');
console.log(timers.setTimeout === setTimeout, timers.clearInterval === clearInterval, timers.promises.setTimeout === sleep); // expect: true true true
console.log(await sleep(1, 'value'), await soon('now'), await scheduler.wait(1), await sleep(1000, 0, { signal: AbortSignal.abort('x') }).catch((e) => `${e.name} ${e.code} ${e.cause}`)); // expect: value now undefined AbortError ABORT_ERR x
const c = new AbortController(), waiting = sleep(10000, 0, { signal: c.signal });
c.abort();
console.log(await waiting.catch((e) => e.name)); // expect: AbortError
let n = 0;
for await (const x of every(1, 'tick')) if (++n === 3) { console.log(x, n); break; } // expect: tick 3
console.log(await sleep('x').catch((e) => `${e.name} ${e.code}`), await sleep(1, 1, 1).catch((e) => e.code), await sleep(1, 1, { signal: 1 }).catch((e) => e.code)); // expect: TypeError ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_TYPE
