// Format directives of the first argument.
console.log('%s is %d and %i', 'x', 1.5, 1.5); // expect: x is 1.5 and 1
console.log('%f %j %%', '2.5', { a: 1 }); // expect: 2.5 {"a":1} %
console.log('%o', 'more', 'arguments', { a: 1 }); // expect: 'more' arguments { a: 1 }
console.log('%s', 'a', '%s'); // expect: a %s
console.log('100%', 1, '%d'); // expect: 100% 1 %d
console.log('%s %s', 'only one'); // expect: only one %s
console.log('%d', '42', 'x'); // expect: 42 x
console.log(1, '%s', 'x'); // expect: 1 %s x
