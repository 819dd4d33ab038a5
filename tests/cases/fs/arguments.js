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
