// Objects as Node shows them.
class Point { constructor() { this.x = 1; } }
console.log({}, [], { a: { b: { c: { d: 1 } } } }); // expect: {} [] { a: { b: { c: [Object] } } }
console.log(new Point(), [new Point()], Object.create(null)); // expect: Point { x: 1 } [ Point { x: 1 } ] [Object: null prototype] {}
console.log({ 'a-b': 1, 2: 3, [Symbol('k')]: 4 }); // expect: { '2': 3, 'a-b': 1, [Symbol(k)]: 4 }
console.log([1, , 3], [undefined, null], new Array(3)); // expect: [ 1, <1 empty item>, 3 ] [ undefined, null ] [ <3 empty items> ]
console.log(new Map([[{ k: 1 }, 'v']]), new Set(['a']), new Map()); // expect: Map(1) { { k: 1 } => 'v' } Set(1) { 'a' } Map(0) {}
console.log(function f() {}, () => {}, class A {}, class B extends Point {}); // expect: [Function: f] [Function (anonymous)] [class A] [class B extends Point]
console.log({ f() {}, async g() {}, *h() {} }); // expect: { f: [Function: f], g: [AsyncFunction: g], h: [GeneratorFunction: h] }
console.log(/re/g, new Date(0), [new Date(NaN)]); // expect: /re/g 1970-01-01T00:00:00.000Z [ Invalid Date ]
console.log({ get a() { return 1; }, set b(v) {}, get c() { return 1; }, set c(v) {} }); // expect: { a: [Getter], b: [Setter], c: [Getter/Setter] }
const cycle = { name: 'c' }; cycle.self = cycle;
console.log(cycle); // expect: <ref *1> { name: 'c', self: [Circular *1] }
console.log(Promise.resolve(4), new Promise(() => {})); // expect: Promise { 4 } Promise { <pending> }
console.log(new Number(1), new String('s'), Object(true)); // expect: [Number: 1] [String: 's'] [Boolean: true]
console.log(new ArrayBuffer(2).byteLength, new Uint8Array(2), [[[[1]]]]); // expect: 2 Uint8Array(2) [ 0, 0 ] [ [ [ [Array] ] ] ]
console.log([new Error('inside').message, Symbol.iterator], globalThis === this); // expect: [ 'inside', Symbol(Symbol.iterator) ] true
