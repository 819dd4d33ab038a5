// An error whose class has no name of its own is shown by the name of its class, as in Node.
class NotFoundError extends Error {}
class Odd extends Error {}
Error.stackTraceLimit = 0;
const code = Object.assign(new NotFoundError('m'), { code: 'X' });
console.log(new NotFoundError('m')); // expect: [NotFoundError: m]
console.log(new Odd('m')); // expect: [Odd [Error]: m]
console.log(new NotFoundError()); // expect: [NotFoundError]
console.log(code); // expect: [NotFoundError: m] { code: 'X' }
console.log(Object.assign(new Error('m'), { name: 'ValidationError' })); // expect: [Error [ValidationError]: m]
console.log(Object.assign(new TypeError('m'), { name: 'Odd' })); // expect: [Odd: m]
console.log(Object.assign(new Error('m'), { name: '' })); // expect: [m]
console.log(Object.setPrototypeOf(new Error('m'), null)); // expect: [[Error: null prototype]: m]
console.log(new DOMException('m', 'AbortError')); // expect: [DOMException [AbortError]: m]
console.log({ inside: new NotFoundError('two\nlines') }); // expect: {
// expect:   inside: [NotFoundError: two
// expect:   lines]
// expect: }
console.log(Object.assign(new Error('m'), { message: 404 })); // expect: [Error: 404]
console.log(Object.assign(new Error('m'), { name: 5 }), new DOMException('m', '')); // expect: [5: m] [m]
console.log(Object.assign(new Error('m'), { [Symbol.toStringTag]: 'T' })); // expect: [Error: m] { [Symbol(Symbol.toStringTag)]: 'T' }
// Here Node asks the getter.
console.log(new (class extends Error { get name() { console.log('ran'); return 'G'; } })('m')); // expect: [Error: m]
