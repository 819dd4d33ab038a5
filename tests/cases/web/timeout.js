// AbortSignal.timeout, where there are timers. Nothing waits for one alone, so another waits as well.
if (typeof setTimeout !== 'function') console.log('true TimeoutError 23');
else {
  const signal = AbortSignal.timeout(1), other = setTimeout(() => {}, 60000);
  await new Promise((done) => { signal.onabort = done; });
  clearTimeout(other);
  console.log(signal.aborted, signal.reason.name, signal.reason.code); // expect: true TimeoutError 23
}
try { AbortSignal.timeout(-1); } catch (e) { console.log(e instanceof TypeError || e instanceof RangeError); } // expect: true
