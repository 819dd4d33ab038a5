// Generators, iterators and the helpers on them.
function* count(n) { try { for (let i = 0; i < n; i++) { const got = yield i; if (got) console.log('got', got); } } finally { console.log('closed'); } }
console.log([...count(3)]);
// expect: closed
// expect: [ 0, 1, 2 ]
const it = count(9);
it.next();
it.next('this'); // expect: got this
console.log(it.return(7)); // expect: closed
// expect: { value: 7, done: true }
for (const x of count(9)) { if (x === 1) break; }
// expect: closed
const evens = { *[Symbol.iterator]() { yield* [2, 4, 6]; } };
const [first, ...rest] = evens;
console.log(first, rest); // expect: 2 [ 4, 6 ]
console.log([1, 2, 3, 4].values().filter((x) => x % 2).map((x) => x * 10).toArray()); // expect: [ 10, 30 ]
async function* slow() { yield 1; await null; yield 2; }
let sum = 0;
for await (const x of slow()) sum += x;
console.log(sum); // expect: 3
