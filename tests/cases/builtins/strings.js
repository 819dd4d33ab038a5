// Strings and regular expressions.
console.log('abc'.at(-1), 'a-b-c'.replaceAll('-', '+'), 'x'.padStart(3, '.'), 'ab'.repeat(2)); // expect: c a+b+c ..x abab
console.log([...'a😀b'].length, 'a😀b'.length, '😀'.codePointAt(0).toString(16)); // expect: 3 4 1f600
console.log('é'.normalize('NFD').length, 'ß'.toUpperCase(), 'İ'.toLowerCase().length); // expect: 2 SS 2
console.log('\ud800'.isWellFormed(), '\ud800'.toWellFormed() === '\ufffd'); // expect: false true
const m = /(?<year>\d{4})-(?<month>\d\d)/.exec('on 2024-07');
console.log(m.groups.year, m.groups.month, m.index); // expect: 2024 07 3
console.log('a1b22'.replace(/\d+/g, (d) => `<${d}>`), [...'a1b22'.matchAll(/\d+/g)].map((x) => x.index)); // expect: a<1>b<22> [ 1, 3 ]
console.log('2024'.replace(/(?<=20)24/, '25'), /^\p{Lu}/u.test('Éa'), /a.c/s.test('a\nc')); // expect: 2025 true true
const sticky = /\d/y; sticky.lastIndex = 1;
console.log(sticky.test('a1'), /[\p{L}--[a-z]]/v.test('b'), 'aBc'.search(/[A-Z]/)); // expect: true false 1
console.log('a,b,,c'.split(','), 'abc'.split(/(b)/)); // expect: [ 'a', 'b', '', 'c' ] [ 'a', 'b', 'c' ]
console.log(encodeURIComponent('ü/ '), decodeURIComponent('%C3%BC'), escape('ü')); // expect: %C3%BC%2F%20 ü %FC
console.log('b' > 'a', ['b', 'ä', 'a'].sort().join(), 'a'.localeCompare('b')); // expect: true a,b,ä -1
