// Nobody waits for a signal's time alone: what has nothing else to do is done.
// within-ms: 20000
const late = AbortSignal.timeout(60000);
late.onabort = () => console.log('never');
// While something else waits, it comes.
const early = AbortSignal.timeout(5);
early.onabort = () => console.log('early', early.reason.name);
setTimeout(() => console.log('end'), 50);
console.log('begin', late.aborted);
// expect: begin false
// expect: early TimeoutError
// expect: end
