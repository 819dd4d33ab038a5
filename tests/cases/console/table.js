// console.table draws what Node 20 draws.
console.table([[1, 2], ['a', { x: 1 }]]);
// expect: ┌─────────┬─────┬──────────┐
// expect: │ (index) │ 0   │ 1        │
// expect: ├─────────┼─────┼──────────┤
// expect: │ 0       │ 1   │ 2        │
// expect: │ 1       │ 'a' │ { x: 1 } │
// expect: └─────────┴─────┴──────────┘
const people = [{ name: 'Jo', age: 3, tags: [1, 2, 3, 4, 5] }, { age: 41, name: '日本', more: { q: 1, r: 2, s: 3 } }];
console.table(people);
// expect: ┌─────────┬────────┬─────┬───────────────────────────────┬──────────┐
// expect: │ (index) │ name   │ age │ tags                          │ more     │
// expect: ├─────────┼────────┼─────┼───────────────────────────────┼──────────┤
// expect: │ 0       │ 'Jo'   │ 3   │ [ 1, 2, 3, ... 2 more items ] │          │
// expect: │ 1       │ '日本' │ 41  │                               │ [Object] │
// expect: └─────────┴────────┴─────┴───────────────────────────────┴──────────┘
console.table(people, ['age', 'none']);
// expect: ┌─────────┬─────┬──────┐
// expect: │ (index) │ age │ none │
// expect: ├─────────┼─────┼──────┤
// expect: │ 0       │ 3   │      │
// expect: │ 1       │ 41  │      │
// expect: └─────────┴─────┴──────┘
console.table({ first: [1], second: 'two', third: null });
// expect: ┌─────────┬───┬────────┐
// expect: │ (index) │ 0 │ Values │
// expect: ├─────────┼───┼────────┤
// expect: │ first   │ 1 │        │
// expect: │ second  │   │ 'two'  │
// expect: │ third   │   │ null   │
// expect: └─────────┴───┴────────┘
console.table(new Map([['k', 1]]));
// expect: ┌───────────────────┬─────┬────────┐
// expect: │ (iteration index) │ Key │ Values │
// expect: ├───────────────────┼─────┼────────┤
// expect: │ 0                 │ 'k' │ 1      │
// expect: └───────────────────┴─────┴────────┘
console.group();
console.table(new Set(['a']));
console.groupEnd();
// expect:   ┌───────────────────┬────────┐
// expect:   │ (iteration index) │ Values │
// expect:   ├───────────────────┼────────┤
// expect:   │ 0                 │ 'a'    │
// expect:   └───────────────────┴────────┘
console.table([]);
// expect: ┌─────────┐
// expect: │ (index) │
// expect: ├─────────┤
// expect: └─────────┘
// What is no object is logged.
console.table('text'); // expect: text
console.table(5, ['x']); // expect: 5
console.table(null); // expect: null
console.table(); // expect: undefined
try { console.table([1], 'a'); } catch (e) { console.log(e.name, e.message); } // expect: TypeError console.table: argument 2 (columns): expected an array
// It runs nothing of the script's, and holds no more than is shown.
const trap = () => { throw new Error('called'); };
console.table(new Proxy([{ get g() { trap(); } }], { get: trap, ownKeys: trap, getOwnPropertyDescriptor: trap }));
// expect: ┌─────────┬──────────┐
// expect: │ (index) │ g        │
// expect: ├─────────┼──────────┤
// expect: │ 0       │ [Getter] │
// expect: └─────────┴──────────┘
