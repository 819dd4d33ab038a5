// An awaited promise that rejects is an exception like any other.
// exit: 1
// expect-error: TypeError: late
await Promise.resolve();
await Promise.reject(new TypeError('late'));
