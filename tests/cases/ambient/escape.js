// The known ways out of same-realm sandboxes lead nowhere.
const F = (function () {}).constructor;
console.log(typeof F('return typeof process')(), F('return this')() === globalThis); // expect: string true
console.log(F('return typeof process')(), F('return typeof require("x")') instanceof F); // expect: undefined true
const tries = [
  () => import('fs'), () => import('node:fs'), () => import('std'), () => import('os'), () => import('qjs:os'), () => import('qjs:std'),
  () => import('vm:session/control'), () => import('vm:session/control@0.1.0'), () => import('file:///etc/passwd'), () => import('/etc/passwd'),
  () => import('data:text/javascript,export default 1'), () => import('../../../../etc/passwd'),
];
let out = 0;
for (const t of tries) { try { await t(); out++; } catch (e) { if (!(e instanceof Error)) console.log('no Error:', e); } }
console.log('imports that worked:', out); // expect: imports that worked: 0
let e; try { null.x; } catch (x) { e = x; }
console.log(e.constructor.constructor('return typeof process')()); // expect: undefined
console.log(typeof Error.prepareStackTrace, typeof require.cache, typeof require.main); // expect: undefined undefined undefined
