// flags: --root ROOT
// file: a/tell.mjs export const { url, filename, dirname } = import.meta; export const at = () => new URL('./data.json', import.meta.url).pathname;
// file: typed.ts const place: string = import.meta.filename; export default place;
// file: a/ü#?%.mjs export default import.meta.url;
// file: plain.mjs export default 1;
// A module of the worktree knows its place, with the worktree's root as `/`, and nothing of the machine.
console.log(import.meta.url, import.meta.filename, import.meta.dirname); // expect: file:///meta.mjs /meta.mjs /
import * as tell from './a/tell.mjs';
console.log(tell.url, tell.filename, tell.dirname, tell.at()); // expect: file:///a/tell.mjs /a/tell.mjs /a /a/data.json
import typed from './typed.js';
console.log(typed); // expect: /typed.ts
const odd = await import('./a/ü#?%.mjs');
console.log(odd.default); // expect: file:///a/%C3%BC%23%3F%25.mjs
console.log((await import('./a/../a/tell')).url, (await import('./plain.mjs')).default); // expect: file:///a/tell.mjs 1
console.log(import.meta); // expect: [Object: null prototype] {
// expect:   dirname: '/',
// expect:   filename: '/meta.mjs',
// expect:   url: 'file:///meta.mjs'
// expect: }
