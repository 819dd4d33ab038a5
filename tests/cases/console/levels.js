// log, info and debug go to standard output, warn and error to standard error.
console.log('l'); // expect: l
console.info('i'); // expect: i
console.debug('d'); // expect: d
console.warn('a warning'); // expect-error: a warning
console.error('an error'); // expect-error: an error
console.log(); // expect:
console.log('two\nlines'); // expect: two
// expect: lines
typeof console.warn('x', { y: 1 }); // expect-error: x { y: 1 }
// expect: 'undefined'
