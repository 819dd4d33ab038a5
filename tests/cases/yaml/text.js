// Text that is hard to write and to read: what was written is read again.
// flags: --module yaml
const { parse, stringify } = require('node:yaml');
const hard = ['', ' ', 'a: b', '- a', '# x', 'x #y', '"', "'", '\\', '\n', 'a\nb', 'a\n\n b\n', '\t', '\u0000', '\u2028', '\ufeff', 'é€😀', 'true', 'null', '~', '1', '1e3', '0x1', '.inf', '-', '?', ':', '[', '{', '&a', '*a', '!t', '|', '>', '%', '@', '`', '---', '...', '<<', '=', 'yes', '1:30', '2024-01-01', 'x'.repeat(500), 'word '.repeat(100)];
for (const text of hard) {
  for (const value of [text, [text], { k: text }, { [text || 'e']: 1 }, [[text], { a: [{ b: text }] }]]) {
    let back;
    try { back = JSON.stringify(parse(stringify(value))); } catch (e) { back = String(e); }
    if (back !== JSON.stringify(value)) console.log(JSON.stringify(value).slice(0, 60), JSON.stringify(stringify(value)).slice(0, 60), back.slice(0, 80));
  }
}
for (const number of [0, 1, -1, 1.5, 1e21, 1e-7, 2 ** 53, 5e-324, 1.7976931348623157e308]) if (parse(stringify(number)) !== number) console.log(number);
console.log(JSON.stringify(parse(stringify('\ud800x'))), stringify([10n ** 30n]).trim()); // expect: "�x" - "1000000000000000000000000000000"
try { stringify((() => { const cyclic = {}; cyclic.self = cyclic; return cyclic; })()); } catch (e) { console.log(e.name); } // expect: TypeError
