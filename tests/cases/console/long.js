// What doesn't fit on a line is broken as Node breaks it, and long lists are cut.
console.log({ alpha: 'aaaaaaaaaaaaaaaaaaaa', beta: 'bbbbbbbbbbbbbbbbbbbbbbbb', gamma: 'cccccccccccccccccccc' });
// expect: {
// expect:   alpha: 'aaaaaaaaaaaaaaaaaaaa',
// expect:   beta: 'bbbbbbbbbbbbbbbbbbbbbbbb',
// expect:   gamma: 'cccccccccccccccccccc'
// expect: }
const lines = [];
const many = Array.from({ length: 150 }, (_, i) => ({ i }));
console.log(many.length, many.slice(0, 2)); // expect: 150 [ { i: 0 }, { i: 1 } ]
