// Big names and big files: errors or data, never the end of the session.
// flags: --module fs --root ROOT
const fs = require('fs');
const name = 'n'.repeat(10 * 1024 * 1024);
for (const f of [() => fs.readFileSync(name), () => fs.writeFileSync(name, ''), () => fs.readFileSync('n'.repeat(5000)), () => fs.readFileSync('a/'.repeat(3000))]) {
  try { f(); console.log('worked'); } catch (e) { if (!(e instanceof Error) || e.message.length > 500) console.log('bad error', String(e).slice(0, 80)); }
}
console.log(fs.existsSync(name)); // expect: false
const big = 'x'.repeat(2 * 1024 * 1024);
fs.writeFileSync('big', big);
console.log(fs.readFileSync('big') === big); // expect: true
