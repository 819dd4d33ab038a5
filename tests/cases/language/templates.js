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
