// Proxies, Reflect, symbols and weak collections.
const seen = [];
const p = new Proxy({ a: 1 }, {
  get: (t, k, r) => (seen.push(`get ${String(k)}`), Reflect.get(t, k, r)),
  has: (t, k) => (seen.push(`has ${String(k)}`), k in t),
  set: (t, k, v) => (seen.push(`set ${k}`), Reflect.set(t, k, v)),
  deleteProperty: (t, k) => (seen.push(`delete ${k}`), delete t[k]),
  ownKeys: (t) => (seen.push('keys'), Reflect.ownKeys(t)),
});
p.b = p.a + 1; 'b' in p; delete p.a; Object.keys(p);
console.log(seen.join('; ')); // expect: get a; set b; has b; delete a; keys
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
try { proxy.x; } catch (e) { console.log(e.name); } // expect: TypeError
const s = Symbol('s');
console.log({ [s]: 1 }[s], s.description, Symbol.for('k') === Symbol.for('k')); // expect: 1 s true
const key = {};
const wm = new WeakMap([[key, 'kept']]);
console.log(wm.get(key), new WeakSet([key]).has(key), new WeakRef(key).deref() === key); // expect: kept true true
console.log(Reflect.ownKeys({ b: 1, 2: 1, a: 1, 1: 1 }).join()); // expect: 1,2,b,a
console.log(Object.isFrozen(Object.freeze([1])), Reflect.has(Object.create({ up: 1 }), 'up')); // expect: true true
