// Rendering runs no code of the script that could escape it: a getter isn't called, a throwing Proxy trap is harmless.
let called = 0;
console.log({ get trap() { called++; throw new Error('called'); } }, called); // expect: { trap: [Getter] } 0
const bad = new Proxy({}, { ownKeys() { called++; throw new Error('ownKeys'); }, get() { called++; throw new Error('get'); } });
console.log(typeof bad);  // expect: object
try { console.log(bad); } catch {} // expect: {}
const deep = []; let at = deep;
for (let i = 0; i < 100_000; i++) { const next = []; at.push(next); at = next; }
console.log(deep); // expect: [ [ [ [Array] ] ] ]
console.log({ toString() { throw new Error('toString'); }, constructor: null }); // expect: { toString: [Function: toString], constructor: null }
console.log('alive'); // expect: alive
// Nor does what a script puts into the prototypes.
const ran = (name) => ({ __proto__: null, configurable: true, get() { called++; return name; }, set() {} });
for (const name of ['get', 'set', 'value']) Object.defineProperty(Object.prototype, name, ran(name));
for (const name of ['source', 'flags']) Object.defineProperty(RegExp.prototype, name, ran(name));
String.prototype.concat = () => { called++; return 'patched'; };
console.log({ a: 1, get b() { return 2; } }, [1], /x\/y/dgimsuy, new Map([[1, 'v']]), new Date(0)); // expect: { a: 1, b: [Getter] } [ 1 ] /x\/y/dgimsuy Map(1) { 1 => 'v' } 1970-01-01T00:00:00.000Z
for (const name of ['get', 'set', 'value']) delete Object.prototype[name];
console.log(called); // expect: 0
