// not-node: its limits are others
// flags: --mem-mb 64
// Getters, proxies, huge and deep input: an error each, and the session lives.
const name = async (f) => { try { await f(); return 'fine'; } catch (e) { return e?.name ?? String(e); } };
let deep = {};
for (let i = 0; i < 100000; i++) deep = { deep };
console.log(await name(() => structuredClone(deep))); // expect: RangeError
const counting = { get a() { delete this.b; return 1; }, b: 2 };
console.log(structuredClone(counting)); // expect: { a: 1 }
console.log(await name(() => structuredClone({ get x() { throw new TypeError('getter'); } }))); // expect: TypeError
console.log(await name(() => structuredClone(new Proxy({}, {})))); // expect: DataCloneError
const faked = Object.create(Blob.prototype);
console.log(await name(() => faked.size), await name(() => new Response(faked).text()), await name(() => URL.prototype.href)); // expect: TypeError fine TypeError
const refused = [new AbortController(), new Headers(), new Event('x'), new URL('http://h'), new ReadableStream(), crypto];
console.log(new Set(await Promise.all(refused.map((v) => name(() => structuredClone(v))))).size); // expect: 1
const detached = new ArrayBuffer(1);
structuredClone(detached, { transfer: [detached] });
console.log(await name(() => structuredClone(detached)), await name(() => structuredClone(1, { transfer: [detached] }))); // expect: DataCloneError DataCloneError
const shrinking = [1, { get x() { shrinking.length = 1; return 2; } }, 3];
console.log(structuredClone(shrinking).length); // expect: 3
const entries = new Map([[1, { get x() { entries.clear(); return 1; } }], [2, 3]]);
console.log(structuredClone(entries).size); // expect: 2
console.log(await name(() => new Blob(Array.from({ length: 1000 }, () => new Uint8Array(1 << 20))))); // expect: InternalError
console.log(await name(() => crypto.getRandomValues(Object.create(Uint8Array.prototype)))); // expect: TypeMismatchError
const far = new Headers();
for (let i = 0; i < 20000; i++) far.append(`n${i}`, 'v');
for (let i = 0; i < 2000; i++) far.append('same', 'v');
console.log([...far].length, far.get('same').length); // expect: 20001 5998
console.log(await name(() => new Headers({ get a() { throw new RangeError(); } })), await name(() => new URL({ toString() { throw 1; } }))); // expect: RangeError 1
const target = new EventTarget();
for (let i = 0; i < 1000; i++) target.addEventListener('x', () => {}, { once: true });
console.log(target.dispatchEvent(new Event('x'))); // expect: true
const form = new FormData();
form.append('--\r\nContent-Disposition: form-data; name="evil"', 'a\r\n--x');
const round = await new Response(form).formData();
console.log([...round.keys()].length, [...round.values()][0]); // expect: 1 a
// expect: --x
console.log(await name(() => new URLSearchParams(new Proxy({}, { ownKeys() { throw new SyntaxError(); } })))); // expect: SyntaxError
console.log(new URL('http://h/' + '../'.repeat(20000) + 'a').pathname, await name(() => new URL('http://' + 'é.'.repeat(3000)))); // expect: /a fine
class Odd extends URL { constructor() { super('http://odd/'); } get href() { return 'lie'; } }
console.log(new Request(new Odd()).url); // expect: http://odd/
// within-ms: 8000
