// A wrong argument is a TypeError that says which function and which argument, and the host is never asked.
// flags: --module fs --root ROOT
const fs = require('fs');
const wrong = [
  [() => fs.readFileSync(), 'readFileSync: argument 1 (path)'], [() => fs.readFileSync(true), 'readFileSync: argument 1'],
  [() => fs.readFileSync({}), 'readFileSync: argument 1 (path)'], [() => fs.readFileSync(null), 'readFileSync: argument 1'],
  [() => fs.statSync(Symbol('x')), 'statSync: argument 1 (path)'], [() => fs.writeFileSync('x'), 'writeFileSync: argument 2 (data)'],
  [() => fs.writeFileSync('x', 1), 'writeFileSync: argument 2 (data)'], [() => fs.writeFileSync(['x'], 'y'), 'writeFileSync: argument 1 (path)'],
];
for (const [f, text] of wrong) {
  try { f(); console.log('worked', String(f)); }
  catch (e) { if (!(e instanceof TypeError) || !e.message.includes(text)) console.log(String(f), String(e)); }
}
console.log(fs.existsSync('x')); // expect: false
// Numbers as in Node.
fs.writeFileSync('n', 'hello');
const fd = fs.openSync('n', 'r+');
const range = (f) => { try { return f(); } catch (e) { return `${e.name} ${e.code} ${e.message}`; } };
const bad = [-1, 1.5, 2 ** 31, NaN];
const calls = ['fstatSync', 'ftruncateSync', 'closeSync', 'readSync', 'writeSync', 'readvSync', 'writevSync'];
const told = bad.map((value) => [...new Set(calls.map((name) => range(() => fs[name](value, name.endsWith('vSync') ? [] : new Uint8Array(1)))))].join('|'));
told.forEach((text) => console.log(text));
// expect: RangeError ERR_OUT_OF_RANGE The value of "fd" is out of range. It must be >= 0 && <= 2147483647. Received -1
// expect: RangeError ERR_OUT_OF_RANGE The value of "fd" is out of range. It must be an integer. Received 1.5
// expect: RangeError ERR_OUT_OF_RANGE The value of "fd" is out of range. It must be >= 0 && <= 2147483647. Received 2147483648
// expect: RangeError ERR_OUT_OF_RANGE The value of "fd" is out of range. It must be an integer. Received NaN
console.log(range(() => fs.truncateSync('n', 1.5))); // expect: RangeError ERR_OUT_OF_RANGE The value of "len" is out of range. It must be an integer. Received 1.5
console.log(range(() => fs.ftruncateSync(fd, 2 ** 53)).slice(0, 74)); // expect: RangeError ERR_OUT_OF_RANGE The value of "len" is out of range. It must be
console.log(range(() => fs.ftruncateSync(fd, '1'))); // expect: TypeError ERR_INVALID_ARG_TYPE ftruncateSync: argument 2 (len): expected a number, got string
console.log(fs.ftruncateSync(fd, 3), fs.fstatSync(fd).size, fs.truncateSync('n', -1), fs.fstatSync(fd).size); // expect: undefined 3 undefined 0
// What is read into or written from must lie within the buffer.
fs.writeFileSync('n', '0123456789');
const eight = () => new Uint8Array(8).fill(46);
const reading = (...args) => { const into = eight(); return `${fs.readSync(fd, into, ...args)} ${String.fromCharCode(...into)}`; };
const writing = (...args) => { fs.writeSync(fd, eight(), ...args); return fs.readFileSync('n'); };
for (const f of [() => reading(0, 9, 0), () => reading(4, 5, 0), () => reading(-1, 1, 0), () => reading(0, -1, 0), () => reading('2', 1, 0), () => reading(0, 1, 1.5),
  () => reading(0, 1, '2'), () => reading({ offset: 9 }), () => writing(9, 1, 0), () => writing(4, 5, 0), () => writing(0, -1, 0), () => writing(0, 1.5, 0),
  () => writing(1.5), () => writing(2 ** 40)]) console.log(range(f).replace('RangeError ERR_OUT_OF_RANGE The value of ', ''));
// expect: "length" is out of range. It must be <= 8. Received 9
// expect: "length" is out of range. It must be <= 4. Received 5
// expect: "offset" is out of range. It must be >= 0 && <= 9007199254740991. Received -1
// expect: "length" is out of range. It must be >= 0. Received -1
// expect: TypeError ERR_INVALID_ARG_TYPE The "offset" argument must be of type number. Received type string ('2')
// expect: "position" is out of range. It must be an integer. Received 1.5
// expect: TypeError ERR_INVALID_ARG_TYPE The "position" argument must be of type bigint or integer. Received type string ('2')
// expect: "length" is out of range. It must be >= 0. Received -1
// expect: "offset" is out of range. It must be <= 8. Received 9
// expect: "length" is out of range. It must be <= 4. Received 5
// expect: "length" is out of range. It must be >= 0. Received -1
// expect: "length" is out of range. It must be an integer. Received 1.5
// expect: "offset" is out of range. It must be an integer. Received 1.5
// expect: "offset" is out of range. It must be <= 8. Received 1_099_511_627_776
console.log(reading(4, 4, 2), reading({ length: 2, position: 5 }), reading(8, 0, 0)); // expect: 4 ....2345 2 56...... 0 ........
console.log(writing(6, 2, 1), writing({ offset: 7, position: 5 })); // expect: 0..3456789 0..34.6789
console.log(range(() => fs.readSync(fd, new Uint8Array(0), 0, 1, 0))); // expect: TypeError ERR_INVALID_ARG_VALUE The argument 'buffer' is empty and cannot be written. Received an instance of Uint8Array
// Where a path may be a descriptor, it is one of those.
for (const f of [() => fs.readFileSync(-1), () => fs.writeFileSync(1.5, ''), () => fs.appendFileSync(2 ** 31, '')]) console.log(range(f).slice(28));
// expect: The value of "fd" is out of range. It must be >= 0 && <= 2147483647. Received -1
// expect: The value of "fd" is out of range. It must be an integer. Received 1.5
// expect: The value of "fd" is out of range. It must be >= 0 && <= 2147483647. Received 2147483648
console.log(range(() => fs.writeSync(fd, 'x', 1.5)), range(() => fs.writeSync(fd, 'y', 2 ** 53))); // expect: 1 1
