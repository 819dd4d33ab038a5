// node:timers: the globals, under a name.
import promises from 'node:timers/promises';

const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = globalThis;
export { promises, setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate };
export default { promises, setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate };
