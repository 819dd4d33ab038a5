// A promise that nothing can settle any more is an error at once, not a wait for the time limit.
// exit: 1
// within-ms: 1500
// expect-error: PROMISE_NEVER_SETTLES
await new Promise(() => {});
