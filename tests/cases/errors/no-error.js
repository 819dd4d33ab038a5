// What is thrown need not be an Error.
// exit: 1
// expect-error: just a string
throw 'just a string';
