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
