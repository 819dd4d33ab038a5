// Syntax up to ES2024 that scripts of today use.
const { a = 1, b: { c = 2, ...more } = {}, ...others } = { b: { d: 4, e: 5 }, f: 6 };
console.log(a, c, more, others); // expect: 1 2 { d: 4, e: 5 } { f: 6 }
const o = { n: null, f() { return this?.n ?? 'nothing'; } };
console.log(o.f(), o.x?.y.z, o.g?.()); // expect: nothing undefined undefined
let l = null; l ??= 5; l &&= l + 1; l ||= 9;
console.log(l, 2 ** 10, 1_000_000, 0b101, 0o17); // expect: 6 1024 1000000 5 15
const tag = (s, ...v) => s.raw.join('|') + v.join();
console.log(tag`a${1}\n${2}c`); // expect: a|\n|c1,2
outer: for (let i = 0; ; i++) { for (;;) { if (i > 2) break outer; continue outer; } }
console.log(((x, y = x * 2, ...z) => [x, y, z.length])(1, undefined, 3, 4)); // expect: [ 1, 2, 2 ]
const fns = [];
for (let i = 0; i < 3; i++) fns.push(() => i);
console.log(fns.map((f) => f())); // expect: [ 0, 1, 2 ]
switch (typeof null) { case 'object': console.log('null is an object'); default: console.log('and falls through'); }
// expect: null is an object
// expect: and falls through
const f = () => { try { return 'try'; } finally { console.log('finally'); } };
console.log(f());
// expect: finally
// expect: try
console.log(typeof undeclared, typeof 1n, typeof Symbol(), void 0); // expect: undefined bigint symbol undefined
try { x; let x = 1; } catch (e) { console.log(e.name); } // expect: ReferenceError
