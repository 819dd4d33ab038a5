// What is equal is one key, however the engine stores it: long strings as ropes, short ones in one or two bytes a character.
const map = new Map();
for (let i = 0; i < 1000; i++) map.set(i, i).set('s' + i, i);
const left = 'x'.repeat(9000), right = 'y'.repeat(9000), wide = '\u1234'.repeat(9000);
const flat = (s) => s.split('').join('');
map.set(left + right, 'rope').set(flat(left + wide), 'flat');
console.log(map.get(flat(left + right)), map.get(left + right), map.get(left + wide)); // expect: rope rope flat
console.log(new Set([left + wide]).has(flat(left + wide)), map.has(left + left)); // expect: true false
const narrow = 'é\u1234'.slice(0, 1);
map.set('é', 'narrow').set(('é'.repeat(2000) + wide).slice(0, 2000), 'wide');
console.log(map.get(narrow), map.get('é'.repeat(2000)), ({ é: 1 })[narrow]); // expect: narrow wide 1
map.set(-0, 'zero').set(NaN, 'nan').set(1.5, 'half').set(7n, 'seven').set(10n ** 30n, 'big').set(undefined, 'none');
console.log(map.get(0), map.get(0 / 0), map.get(3 / 2), map.get(7n), map.get(7)); // expect: zero nan half seven 7
console.log(map.get(10n ** 30n), map.get(undefined), map.has(null), map.get('7')); // expect: big none false undefined
const key = {}, symbol = Symbol();
map.set(key, 'object').set(symbol, 'symbol').set(true, 'yes');
console.log(map.get(key), map.get({}), map.get(symbol), map.get(true), map.size); // expect: object undefined symbol yes 2012
// Names that come and go.
for (let round = 0; round < 3; round++) {
  const o = {};
  for (let i = 0; i < 3000; i++) o['name' + i] = i;
  for (let i = 0; i < 3000; i += 2) delete o['name' + i];
  console.log(Object.keys(o).length, o.name2999, o.name2998, Symbol.for('name1') === Symbol.for('na' + 'me1'));
}
// expect: 1500 2999 undefined true
// expect: 1500 2999 undefined true
// expect: 1500 2999 undefined true
