// A wrong argument is a TypeError that names the parameter.
// flags: --module fs --root ROOT
const fs = require('fs');
const wrong = [[() => fs.readFileSync(), 'path'], [() => fs.readFileSync(1), 'path'], [() => fs.readFileSync({}), 'path'], [() => fs.readFileSync(null), 'path'],
  [() => fs.writeFileSync('x'), 'data'], [() => fs.writeFileSync('x', 1), 'data'], [() => fs.writeFileSync(Symbol('x'), 'y'), 'path']];
for (const [f, parameter] of wrong) {
  try { f(); console.log('worked', String(f)); }
  catch (e) { if (!(e instanceof TypeError) || !e.message.includes(parameter)) console.log(String(f), String(e)); }
}
console.log(fs.existsSync('x')); // expect: false
