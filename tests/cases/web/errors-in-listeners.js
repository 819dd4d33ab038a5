// not-node: there an error in a listener ends the process
// An error in a listener stops nothing: it is told as an unhandled rejection.
const t = new EventTarget();
t.addEventListener('x', () => { throw new Error('lost'); });
t.addEventListener('x', () => console.log('second')); // expect: second
console.log(t.dispatchEvent(new Event('x'))); // expect: true
reportError(new TypeError('told'));
// expect-error: Uncaught (in promise) Error: lost
// expect-error: Uncaught (in promise) TypeError: told
