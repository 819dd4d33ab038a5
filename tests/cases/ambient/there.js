// The language's own globals are always there, in every session; no template can take one away.
const names = `Object Function Array String Number Boolean Symbol BigInt Math JSON Date RegExp Map Set WeakMap WeakSet WeakRef
FinalizationRegistry Promise Proxy Reflect Error TypeError RangeError SyntaxError ReferenceError EvalError URIError AggregateError
ArrayBuffer DataView Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array BigInt64Array
BigUint64Array Uint8ClampedArray Iterator globalThis parseInt parseFloat isNaN isFinite encodeURI decodeURI encodeURIComponent
decodeURIComponent escape unescape queueMicrotask console require`.split(/\s+/);
console.log(names.filter((n) => typeof globalThis[n] === 'undefined').join() || 'all there'); // expect: all there
console.log(Object.keys(globalThis).filter((n) => n.startsWith('_')).join() || 'nothing hidden'); // expect: nothing hidden
