// Counters and timers by their labels, dirxml, and dir with its options.
console.count(); // expect: default: 1
console.count('x'); // expect: x: 1
console.count('x'); // expect: x: 2
console.count('%s'); // expect: %s: 1
console.count(undefined); // expect: default: 2
console.count(null); // expect: null: 1
console.countReset('x');
console.count('x'); // expect: x: 1
console.countReset('nope'); // expect-error: Warning: Count for 'nope' does not exist
try { console.count({ toString() { throw new Error('mine'); } }); } catch (e) { console.log(e.message); } // expect: mine
console.time();
console.time('a');
console.time('a'); // expect-error: Warning: Label 'a' already exists for console.time()
console.timeEnd('b'); // expect-error: Warning: No such label 'b' for console.timeEnd()
console.timeLog('b'); // expect-error: Warning: No such label 'b' for console.timeLog()
console.dirxml({ a: 1 }, 'x', [1]); // expect: { a: 1 } x [ 1 ]
const deep = { a: { b: { c: { d: { e: 1 } } } } };
console.dir(deep, { depth: 0 }); // expect: { a: [Object] }
console.dir([[[[1]]]], {}); // expect: [ [ [ [Array] ] ] ]
console.dir([[[[1]]]], { depth: null });
// expect: [
// expect:   [ [ [ 1 ] ] ]
// expect: ]
console.dir([[[[[1]]]]], { depth: Infinity });
// expect: [
// expect:   [
// expect:     [ [ [ 1 ] ] ]
// expect:   ]
// expect: ]
console.dir('%s', 'text'); // expect: '%s'
console.dir(); // expect: undefined
console.dir({ a: 1 }, { get depth() { throw new Error('called'); } }); // expect: { a: 1 }
