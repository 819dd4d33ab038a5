// ES modules of the root directory are imported by relative path.
// flags: --root ROOT
// file: lib/math.mjs export const twice = (x) => x * 2; export default 'math'; export { plus } from './plus.mjs';
// file: lib/plus.mjs import { twice } from './math.mjs'; export const plus = (a, b) => twice(a) + b;
import name, { twice, plus } from './lib/math.mjs';
import * as all from './lib/math.mjs';
console.log(name, twice(4), plus(1, 2), Object.keys(all)); // expect: math 8 4 [ 'default', 'plus', 'twice' ]
console.log(typeof this, import.meta !== undefined); // expect: undefined true
const again = await import('./lib/plus.mjs');
console.log(again.plus === plus); // expect: true
