// Imports can't leave the root either.
// flags: --root ROOT
// secret: export default 'secret'
// link: out.mjs ../secret.txt
for (const name of ['../secret.txt', './out.mjs', './lib/../../secret.txt', 'SECRET', '/etc/hostname', './nul\0.mjs', '.', '']) {
  try { console.log('imported', name, await import(name)); } catch (e) { if (!(e instanceof Error)) console.log('no Error', name); }
}
console.log('done'); // expect: done
