// A file that imports is an ES module; what is imported is found by TypeScript's conventions, and is one module.
// flags: --root ROOT
// file: lib/math.ts export type Num = number; export let calls = 0; export function add(a: Num, b: Num): Num { calls++; return a + b } export default 'math';
// file: lib/side.mts (globalThis as any).sides = ((globalThis as any).sides ?? 0) + 1; export const side: string = 'mts';
// file: data.json { "a": [1], "__proto__": 2 }
// file: both.js export const from = 'js';
// file: both.ts export const from: string = 'ts';
// file: types.ts throw new Error('never evaluated');
import name, { add, calls, type Num } from './lib/math.ts';
import { add as again } from './lib/math.js';
import { add as bare } from './lib/math';
import { side } from './lib/side.mjs';
import './lib/side.mts';
import { from } from './both.js';
import { Nothing } from './types';
import type { Never } from './absent';
import data from './data.json' with { type: 'json' };
import plain from './data.json';
const n: Num = 1;
let unused: Nothing | undefined;
console.log(name, add(n, 2), calls, again === add, bare === add); // expect: math 3 1 true true
console.log(side, (globalThis as any).sides, from); // expect: mts 1 js
console.log(data.a, Object.keys(data), plain.a[0]); // expect: [ 1 ] [ 'a', '__proto__' ] 1
const late = await import('./lib/math');
console.log(late.add === add, Object.keys(late)); // expect: true [ 'add', 'calls', 'default' ]
