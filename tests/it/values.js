// Sends random values of every WIT kind through a native function that answers what it is given. SEED is filled in.
const echo = require('echo');
let state = SEED;
const bits = () => { state ^= state << 13; state ^= state >>> 17; state ^= state << 5; return state >>> 0; };
const below = (n) => bits() % n;
const pick = (...of) => of[below(of.length)];
const list = (max, make) => Array.from({ length: below(max) }, make);
const int = (low, high) => pick(low, high, 0, low + below(high - low + 1));
const big = (width) => pick(0n, 1n, 2n ** BigInt(width) - 1n, BigInt.asUintN(width, (BigInt(bits()) << 32n) | BigInt(bits())));
const float = () => pick(0, -0, 1.5, -1e308, 5e-324, NaN, Infinity, -Infinity, bits() / 7, -bits() * 1e100);
const letter = () => { const c = pick(0, 0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff, below(0x110000)); return String.fromCodePoint(c >= 0xd800 && c < 0xe000 ? 0x42 : c); };
const text = () => list(pick(3, 30, 300), letter).join('');
const point = () => ({ xPos: int(-(2 ** 31), 2 ** 31 - 1), yPos: float(), tags: list(4, text) });
const shape = () => pick(() => ({ tag: 'empty' }), () => ({ tag: 'circle', val: Math.fround(float()) }), () => ({ tag: 'poly', val: list(4, point) }))();

const kinds = {
  echoU8: () => int(0, 255), echoS8: () => int(-128, 127), echoU16: () => int(0, 65535), echoS16: () => int(-32768, 32767),
  echoU32: () => int(0, 4294967295), echoS32: () => int(-2147483648, 2147483647),
  echoU64: () => big(64), echoS64: () => BigInt.asIntN(64, big(64)),
  echoF32: () => Math.fround(float()), echoF64: float, echoBool: () => below(2) === 1, echoChar: letter, echoString: text,
  echoBytes: () => Uint8Array.from(list(100, () => below(256))), echoList: () => list(20, () => int(0, 4294967295)),
  echoNested: () => list(4, () => list(4, text)), echoPoint: point, echoShape: shape, echoColor: () => pick('dark-red', 'green'),
  echoPerms: () => ({ canRead: below(2) === 1, canWrite: below(2) === 1, exec: below(2) === 1 }),
  echoOption: () => pick(null, text()), echoOptionOption: () => pick(null, int(0, 4294967295)),
  echoTuple: () => [int(0, 255), text(), below(2) === 1],
};

const same = (a, b) => {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => k in b && same(a[k], b[k]));
};
const shown = (v) => { try { return JSON.stringify(v, (k, x) => (typeof x === 'bigint' ? `${x}n` : Object.is(x, -0) ? '-0' : typeof x === 'number' && !isFinite(x) ? String(x) : x)); } catch { return String(v); } };

const wrong = [];
for (let round = 0; round < 60; round++) {
  for (const [name, make] of Object.entries(kinds)) {
    const value = make();
    const answer = echo[name](value);
    if (!same(value, answer)) wrong.push(`${name}(${shown(value)}) is ${shown(answer)}`);
  }
  // A WIT result is JavaScript's own: ok is the value, err is thrown.
  const n = int(0, 4294967295);
  if (echo.echoResult({ tag: 'ok', val: n }) !== n) wrong.push('echoResult ok');
  const message = text();
  try { echo.echoResult({ tag: 'err', val: message }); wrong.push('echoResult err did not throw'); }
  catch (e) { if (!(e instanceof Error) || e.message !== message) wrong.push(`echoResult err: ${shown(e.message)} for ${shown(message)}`); }
  if (echo.echoResultUnit({ tag: 'ok' }) !== undefined) wrong.push('echoResultUnit ok');
  try { echo.echoResultUnit({ tag: 'err' }); wrong.push('echoResultUnit err did not throw'); } catch (e) { if (!(e instanceof Error)) wrong.push('echoResultUnit'); }
}

// What does not fit is a TypeError that names the parameter, whatever it is, and the host is never asked.
const misfits = {
  echoU8: [-1, 256, 1.5, NaN, '1', null, undefined, 1n, {}, [], true, Symbol()], echoS8: [-129, 128], echoU16: [65536], echoS16: [32768],
  echoU32: [4294967296, -1, Infinity], echoS32: [2147483648, -2147483649], echoU64: [-1n, 2n ** 64n, 1.5, -1, '1'], echoS64: [2n ** 63n, -(2n ** 63n) - 1n],
  echoF32: ['1', null, 1n], echoF64: [undefined, {}, 'NaN'], echoBool: [0, 1, 'true', null], echoChar: ['', 'ab', 1, null, '😀😀'],
  echoString: [1, null, undefined, {}, Symbol(), ['a'], new String('a')], echoBytes: [1, 'abc', {}, [256], [-1], null], echoList: [1, 'a', [1, 'b'], [-1], {}, { length: 3 }],
  echoNested: [['a'], [[1]], [[['a']]]], echoPoint: [null, 1, {}, { xPos: 1 }, { xPos: 'a', yPos: 1, tags: [] }, { xPos: 1, yPos: 1, tags: 'x' }],
  echoShape: [null, {}, { tag: 'nope' }, { tag: 'circle' }, { tag: 'circle', val: 'a' }, { tag: 'poly', val: [1] }, 'empty'], echoColor: ['red', 1, null, 'DARK-RED', '__proto__'],
  echoPerms: [null, 1, 'canRead'], echoOption: [1, {}], echoTuple: [[], [1], [1, 'a'], ['a', 1, true], {}], echoResult: [null, { tag: 'okay' }, { tag: 'ok', val: 'x' }],
};
for (const [name, values] of Object.entries(misfits)) {
  for (const value of values) {
    try { const answer = echo[name](value); wrong.push(`${name} took ${String(shown(value))} and answered ${shown(answer)}`); }
    catch (e) {
      if (!(e instanceof TypeError)) wrong.push(`${name}(${String(shown(value))}) threw ${e}`);
      else if (!/\bv\b/.test(e.message)) wrong.push(`${name}: the message does not name the parameter: ${e.message}`);
    }
  }
}
// User code that runs while a value is converted: its exception comes through, and what it changes is not seen twice.
const own = new EvalError('own');
try { echo.echoPoint({ get xPos() { throw own; }, yPos: 1, tags: [] }); wrong.push('getter'); } catch (e) { if (e !== own) wrong.push(`getter: ${e}`); }
const shrinking = [1, 2, 3]; Object.defineProperty(shrinking, 0, { get() { shrinking.length = 1; return 7; } });
try { echo.echoList(shrinking); } catch (e) { if (!(e instanceof TypeError)) wrong.push(`shrinking: ${e}`); }
let reads = 0;
echo.echoPoint({ get xPos() { reads++; return 1; }, yPos: 1, tags: [] });
if (reads !== 1) wrong.push(`a getter was read ${reads} times`);
try { echo.echoList({ length: 2 ** 53 - 1, __proto__: Array.prototype }); wrong.push('claimed length'); } catch (e) { if (!(e instanceof TypeError)) wrong.push(`claimed length: ${e}`); }
try { echo.echoList(new Proxy([], { get: (t, k) => (k === 'length' ? 2 ** 32 : 1) })); wrong.push('claimed length of a proxy'); } catch (e) { if (!(e instanceof Error)) wrong.push(`claimed length of a proxy: ${e}`); }
const buffer = new ArrayBuffer(8);
if (typeof buffer.transfer === 'function') { const view = new Uint8Array(buffer); buffer.transfer(); if (echo.echoBytes(view).length !== 0) wrong.push('detached'); }
wrong.slice(0, 20).join('\n');
