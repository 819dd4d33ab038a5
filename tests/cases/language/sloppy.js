// A script is sloppy and runs in the one global scope, as old scripts expect.
undeclared = 5;
var v = 1;
function fn() { return this === globalThis; }
console.log(globalThis.undeclared, globalThis.v, fn()); // expect: 5 1 true
with ({ inner: 3 }) { console.log(inner); } // expect: 3
console.log(eval('var fromEval = 7; fromEval * 2'), fromEval); // expect: 14 7
console.log(new Function('a', 'b', 'return a + b')(1, 2)); // expect: 3
console.log((0, eval)('typeof v'), 010, (function () { return arguments.callee.length; })()); // expect: number 8 0
let lexical = 1;
console.log(globalThis.lexical, delete globalThis.undeclared, typeof undeclared); // expect: undefined true undefined
console.log((function () { 'use strict'; return this; })()); // expect: undefined
