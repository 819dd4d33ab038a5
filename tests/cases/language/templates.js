// Template literals: strings that are added, each value made one right after it was computed, whatever String.prototype has become.
const order = [];
const value = (name) => { order.push(`get ${name}`); return { toString() { order.push(`text ${name}`); return name; }, valueOf() { return 'wrong'; } }; };
console.log(`<${value('a')}-${value('b')}${value('c')}>`, order.join()); // expect: <a-bc> get a,text a,get b,text b,get c,text c
console.log(`${1}${2.5}${null}${undefined}${true}${10n}${[1, 2]}${{}}${'x'}`, ``, `${''}`, typeof `${1}`); // expect: 12.5nullundefinedtrue101,2[object Object]x   string
console.log(`a${'\u{1F600}'}b\tc${`nested ${`deep ${2}`}`}`.length, `line
two`); // expect: 19 line
// expect: two
for (const f of [() => `${Symbol('s')}`, () => `a${Symbol('s')}b`, () => `${{ toString() { throw new RangeError('r'); } }}`,
  () => `${{ [Symbol.toPrimitive]: (hint) => hint }}`, () => `${Object.create(null)}`]) {
  try { console.log(f()); } catch (error) { console.log(error.name); }
}
// expect: TypeError
// expect: TypeError
// expect: RangeError
// expect: string
// expect: TypeError
console.log(((strings, ...values) => `${strings.raw.join('|')} ${values}`)`x${1}\n${2}`, String.raw`a\n${1}`); // expect: x|\n| 1,2 a\n1
String.prototype.concat = () => 'patched';
console.log(`still ${1} and ${`inner ${2}`}`, { a: `${3}` }, [1], new Error('e') instanceof Error); // expect: still 1 and inner 2 { a: '3' } [ 1 ] true
// To append with one takes no longer than to append with a sum.
let text = '';
for (let i = 0; i < 200_000; i++) text = `${text}${i % 10}`;
console.log(text.length, text.slice(0, 12), { [`${text.slice(0, 3)}${text[4]}`]: 1 }); // expect: 200000 012345678901 { '0124': 1 }
const key = text + text, holder = { [key]: 1 };
holder[key] += 1;
class Long { [key]() { return 'called'; } }
console.log(holder[`${text}${text}`], new Long()[key](), Object.keys(holder)[0].length); // expect: 2 called 400000
