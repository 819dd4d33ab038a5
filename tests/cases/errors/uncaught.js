// An uncaught exception ends the run with 1; the message carries the class, the stack the function and line.
// exit: 1
// expect-error: RangeError: out of cheese
// expect-error: at fail
// expect-error: uncaught.js:10
console.log('before'); // expect: before

function fail() {
  // (line 10 is next)
  throw new RangeError('out of cheese');
}
fail();
console.log('never');
