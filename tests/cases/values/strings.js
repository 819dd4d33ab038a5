// Strings cross into the host and back unchanged; a lone surrogate, which has no UTF-8, becomes U+FFFD.
// flags: --module fs --root ROOT
const fs = require('fs');
const through = (s) => (fs.writeFileSync('s', s), fs.readFileSync('s'));
const samples = ['', 'a', '\0', 'a\0b', '\x7f\x80\xff', 'é', '☃', '😀', '\ud83d\ude00x', '\r\n', '\u2028', '\ufeff', '\uffff', '"\\', 'x'.repeat(65536), '😀'.repeat(20000)];
console.log(samples.filter((s) => through(s) !== s).map((s) => JSON.stringify(s).slice(0, 20)).join() || 'all unchanged'); // expect: all unchanged
console.log(through('a\ud800b') === 'a\ufffdb', through('\udc00') === '\ufffd', through('\ud800\ud800') === '\ufffd\ufffd'); // expect: true true true
let seed = 12345; const next = () => (seed = (seed * 1103515245 + 12345) % 2147483648);
let wrong = 0;
for (let i = 0; i < 300; i++) {
  const s = String.fromCodePoint(...Array.from({ length: next() % 40 }, () => { const c = next() % 0x110000; return c >= 0xd800 && c < 0xe000 ? 0x41 : c; }));
  if (through(s) !== s) wrong++;
}
console.log('wrong:', wrong); // expect: wrong: 0
