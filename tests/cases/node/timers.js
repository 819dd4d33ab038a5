// flags: --module timers
// within-ms: 20000
const timers = require('timers'), { setTimeout: sleep, setImmediate: soon, setInterval: every, scheduler } = require('timers/promises');
console.log(timers.clearInterval === clearInterval, timers.promises.setTimeout === sleep); // expect: true true
console.log(await sleep(1, 'value'), await soon('now'), await scheduler.wait(1), await sleep(1000, 0, { signal: AbortSignal.abort('x') }).catch((e) => `${e.name} ${e.code} ${e.cause}`)); // expect: value now undefined AbortError ABORT_ERR x
const c = new AbortController(), waiting = sleep(10000, 0, { signal: c.signal });
c.abort();
console.log(await waiting.catch((e) => e.name)); // expect: AbortError
let n = 0;
for await (const x of every(1, 'tick')) if (++n === 3) { console.log(x, n); break; } // expect: tick 3
console.log(await sleep('x').catch((e) => `${e.name} ${e.code}`), await sleep(1, 1, 1).catch((e) => e.code), await sleep(1, 1, { signal: 1 }).catch((e) => e.code)); // expect: TypeError ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_TYPE
const timer = timers.setTimeout(() => console.log('never'), 60000), often = timers.setInterval((x) => console.log('never', x), 60000, 1), now = timers.setImmediate((x) => console.log('now', x), 2);
console.log(timer.constructor.name, timer.hasRef(), timer.unref() === timer, timer.hasRef(), timer.ref().hasRef(), now.constructor.name, now.hasRef(), typeof +timer); // expect: Timeout true true false true Immediate true number
timer.refresh().unref();
console.log(timer.hasRef(), often.unref().hasRef(), timer.close() === timer); // expect: false false true
await sleep(5); // expect: now 2
timers.clearInterval(often);
const cleared = timers.setTimeout(() => console.log('never'), 1);
clearTimeout(cleared);
const byNumber = timers.setTimeout(() => console.log('never'), 1);
timers.clearTimeout(+byNumber);
timers.clearImmediate(timers.setImmediate(() => console.log('never')));
for (const f of [() => timers.setTimeout(), () => timers.setInterval('x')]) try { f(); } catch (e) { console.log(e instanceof TypeError); }
// expect: true
// expect: true
// It comes while something else is waited for, and keeps nothing going by itself.
timers.setTimeout(() => console.log('meanwhile'), 1).unref(); // expect: meanwhile
await sleep(20);
timers.setTimeout(() => console.log('never'), 60000).unref();
timers.setInterval(() => console.log('never'), 60000).unref();
void sleep(60000, 0, { ref: false }).then(() => console.log('never'));
