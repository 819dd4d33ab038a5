// What a callback throws that nobody waits for is told, wherever the callback was left.
// expect-error: Uncaught Error: of a microtask
// expect-error: Uncaught a string of a microtask
// expect-error: Uncaught TypeError: of a timer
// expect-error: Uncaught RangeError: of a finalizer
// expect-error: Uncaught (in promise) Error: of an async microtask
queueMicrotask(() => { throw new Error('of a microtask'); });
queueMicrotask(() => { throw 'a string of a microtask'; });
queueMicrotask(async () => { throw new Error('of an async microtask'); });
setTimeout(() => { throw new TypeError('of a timer'); });
const registry = new FinalizationRegistry(() => { throw new RangeError('of a finalizer'); });
(() => { registry.register({}, 0); })();
queueMicrotask(() => console.log('the next microtask runs')); // expect: the next microtask runs
await new Promise((resolve) => setTimeout(resolve, 10));
console.log('runs on'); // expect: runs on
