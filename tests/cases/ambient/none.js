// No host object is there unless a listed module brings it.
const names = ['process', 'fetch', 'XMLHttpRequest', 'module', 'exports', 'std', 'os', 'bjson', 'Javy', '__imports', '__web', 'print',
  'scriptArgs', 'navigator', 'window', 'self', 'global', 'Deno', 'Bun', 'Worker', 'WebAssembly', 'importScripts', 'load', 'read',
  'Buffer', '__dirname', '__filename', 'gc', 'SharedArrayBuffer', 'Atomics'];
console.log(names.filter((n) => typeof globalThis[n] !== 'undefined').join() || 'none'); // expect: none
console.log(names.filter((n) => { try { return (0, eval)(`typeof ${n}`) !== 'undefined'; } catch { return true; } }).join() || 'none'); // expect: none
