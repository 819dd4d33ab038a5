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
