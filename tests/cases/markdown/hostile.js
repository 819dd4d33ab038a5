// Texts that were slow or deep for others; both sides of the bound.
// flags: --module markdown --cpu-ms 20000 --wall-ms 60000
// within-ms: 30000
const { toHtml } = require('node:markdown');
const n = 20000, big = 4 << 20;
const texts = {
  quotes: '>'.repeat(n), lists: '- '.repeat(n), brackets: '['.repeat(n), emphasis: '*a_ '.repeat(n), stars: '*'.repeat(n) + 'a' + '*'.repeat(n),
  links: '[a]('.repeat(n), references: '[a]: b\n\n' + '[a]'.repeat(n), ticks: Array.from({ length: 300 }, (_, i) => '`'.repeat(i)).join(' '),
  table: '|' + 'a|'.repeat(1000) + '\n|' + '-|'.repeat(1000) + '\n' + '|x|\n'.repeat(5000), tags: '<a '.repeat(n), cdata: '<![CDATA['.repeat(n),
  entities: '&#0'.repeat(n), definitions: '[x]: <'.repeat(n), inside: 'x'.repeat(big),
};
for (const [name, text] of Object.entries(texts)) {
  const begin = Date.now();
  try { toHtml(text); } catch (e) { console.log(name, e.code); }
  if (Date.now() - begin > 3000) console.log(name, 'took', Date.now() - begin);
}
const code = (text) => { try { return toHtml(text).length; } catch (e) { return e.code; } };
console.log(code('x'.repeat(big)), code('x'.repeat(big + 1)), code('é'.repeat(big / 2 + 1))); // expect: 4194312 ERR_BUFFER_TOO_LARGE ERR_BUFFER_TOO_LARGE
console.log(code('>'.repeat(big)), code('\n>'.repeat(1000)) > 0); // expect: ERR_BUFFER_TOO_LARGE true
