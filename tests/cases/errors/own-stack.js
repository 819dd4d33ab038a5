// A stack of an error's own is told as it is: it has a title only where it says the same as name and message.
const error = new Error('');
error.stack = 'Errors everywhere';
throw error;
// exit: 1
// expect-error: Errors everywhere
