// flags: --module timer
// within-ms: 4000
const { sleep, every } = require('timer');
console.log(await sleep(1, 'value'), await sleep(0)); // expect: value undefined
const order = [];
await Promise.all([sleep(30, 'b').then((v) => order.push(v)), sleep(5, 'a').then((v) => order.push(v))]);
console.log(order.join()); // expect: a,b
const counted = [];
for await (const n of every(2, { times: 3 })) counted.push(n);
console.log(counted.join()); // expect: 0,1,2
for await (const n of every(1)) if (n === 4) { console.log('left', n); break; } // expect: left 4
const begin = Date.now();
await Promise.all(Array.from({ length: 500 }, () => sleep(50)));
console.log(Date.now() - begin < 1500); // expect: true

// What can be aborted: an AbortSignal, or what looks like one.
const listeners = new Set();
const signal = { aborted: false, reason: 'enough', addEventListener: (_, f) => listeners.add(f), removeEventListener: (_, f) => listeners.delete(f) };
await sleep(1, 0, { signal });
console.log(listeners.size); // expect: 0
const waiting = sleep(60000, 0, { signal });
signal.aborted = true;
for (const f of listeners) f();
await waiting.catch((e) => console.log(e.name, e.code, e.cause)); // expect: AbortError ABORT_ERR enough
await sleep(60000, 0, { signal }).catch((e) => console.log(e.name)); // expect: AbortError

for (const f of [() => sleep(), () => sleep('1'), () => sleep(NaN), () => sleep(-1), () => sleep(2 ** 31), () => sleep(1, 0, 1), () => sleep(1, 0, { signal: 1 })]) {
  try { f(); console.log('no error', String(f)); } catch (e) { console.log(e.name, e.code, e.message); }
}
// expect: TypeError ERR_INVALID_ARG_TYPE The "ms" argument must be of type number. Received undefined
// expect: TypeError ERR_INVALID_ARG_TYPE The "ms" argument must be of type number. Received type string ('1')
// expect: RangeError ERR_OUT_OF_RANGE The value of "ms" is out of range. It must be >= 0 && <= 2147483647. Received NaN
// expect: RangeError ERR_OUT_OF_RANGE The value of "ms" is out of range. It must be >= 0 && <= 2147483647. Received -1
// expect: RangeError ERR_OUT_OF_RANGE The value of "ms" is out of range. It must be >= 0 && <= 2147483647. Received 2147483648
// expect: TypeError ERR_INVALID_ARG_TYPE The "options" argument must be of type object. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.signal" property must be an instance of AbortSignal. Received type number (1)
await every(-1).next().catch((e) => console.log(e.code)); // expect: ERR_OUT_OF_RANGE
await every(1, { times: -1 }).next().catch((e) => console.log(e.code)); // expect: ERR_OUT_OF_RANGE
await every(1, { times: 1.5 }).next().catch((e) => console.log(e.code)); // expect: ERR_OUT_OF_RANGE
