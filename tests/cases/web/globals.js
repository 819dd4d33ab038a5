// not-node: what is there is ours to say
// Web globals are there, can't be enumerated, and leave nothing behind but what run-file fills in.
const names = `AbortController AbortSignal Blob CustomEvent DOMException Event EventTarget File FormData Headers Request Response URL
URLSearchParams TextEncoder TextDecoder TextEncoderStream TextDecoderStream ReadableStream WritableStream TransformStream
ByteLengthQueuingStrategy CountQueuingStrategy atob btoa crypto Crypto performance queueMicrotask structuredClone reportError`.split(/\s+/);
console.log(names.filter((n) => !(n in globalThis) || globalThis.propertyIsEnumerable(n)).join() || 'all there'); // expect: all there
console.log(Object.getOwnPropertyNames(globalThis).filter((n) => n.startsWith('_')).join()); // expect: __ARGS__,__ENV__
console.log(names.filter((n) => typeof globalThis[n] === 'function' && globalThis[n].name !== n).join() || 'named'); // expect: named
console.log(names.filter((n) => { const p = globalThis[n].prototype; return p && n !== 'DOMException' && p[Symbol.toStringTag] !== n && p[Symbol.toStringTag] !== undefined; }).join() || 'tagged'); // expect: tagged
for (const n of names) { const { writable, configurable } = Object.getOwnPropertyDescriptor(globalThis, n); if (!writable || !configurable) console.log(n); }
console.log(typeof fetch, typeof process, typeof Buffer, typeof XMLHttpRequest, typeof navigator, crypto.subtle); // expect: undefined undefined undefined undefined undefined undefined
var URL = 5; // a script may have its own
console.log(URL, new Request('http://h/').url); // expect: 5 http://h/
