// An error's name and message are told once, other properties of its own after the stack.
class Named extends Error { constructor(message) { super(message); this.name = 'MyE'; } }
console.log(new Named('x'));
// expect: MyE: x
// expect:     at <eval> (errors.js:3:13)
console.log(Object.assign(new Named('x'), { code: 'C' }));
// expect: MyE: x
// expect:     at <eval> (errors.js:6:27) {
// expect:   code: 'C'
// expect: }
const renamed = new TypeError('m');
Object.defineProperty(renamed, 'message', { value: 'other', enumerable: true });
console.log(renamed);
// expect: TypeError: other
// expect:     at <eval> (errors.js:11:17)
