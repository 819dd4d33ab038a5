// crypto.getRandomValues and randomUUID.
const bytes = crypto.getRandomValues(new Uint8Array(1000));
console.log(bytes.length, new Set(bytes).size > 200, crypto.getRandomValues(new Uint8Array(0)).length); // expect: 1000 true 0
const part = new Uint8Array(20);
crypto.getRandomValues(part.subarray(4, 15));
console.log(part.slice(0, 4).join(), part.slice(15).join(), part.slice(4, 15).some((b) => b !== 0)); // expect: 0,0,0,0 0,0,0,0,0 true
console.log(crypto.getRandomValues(new BigUint64Array(2)) instanceof BigUint64Array, crypto.getRandomValues(new Int16Array(32768)).length); // expect: true 32768
const ids = Array.from({ length: 200 }, () => crypto.randomUUID());
console.log(new Set(ids).size, ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))); // expect: 200 true
const wrong = [() => crypto.getRandomValues(new Uint8Array(65537)), () => crypto.getRandomValues(new Float32Array(1)), () => crypto.getRandomValues([1]), () => crypto.getRandomValues(new DataView(new ArrayBuffer(1))), () => new Crypto()];
console.log(wrong.map((x) => { try { x(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: QuotaExceededError,TypeMismatchError,TypeMismatchError,TypeMismatchError,TypeError
console.log(Object.prototype.toString.call(crypto), crypto instanceof Crypto); // expect: [object Crypto] true
