// structuredClone.
const source = { s: 'x', n: -0, b: 1n, u: undefined, d: new Date(5), r: /a/gi, m: new Map([[{ k: 1 }, new Set([1, 'a'])]]), a: [1, , 3], nested: { deep: [null] } };
const copy = structuredClone(source);
console.log(copy.m, copy.a, copy.nested, copy.b); // expect: Map(1) { { k: 1 } => Set(2) { 1, 'a' } } [ 1, <1 empty item>, 3 ] { deep: [ null ] } 1n
console.log(copy.d, copy.r, copy.s, Object.keys(copy).join()); // expect: 1970-01-01T00:00:00.005Z /a/gi x s,n,b,u,d,r,m,a,nested
console.log(copy !== source, copy.d !== source.d, 1 in copy.a, Object.is(copy.n, -0), copy.r.lastIndex, 'u' in copy); // expect: true true false true 0 true
const cycle = { list: [] };
cycle.self = cycle; cycle.list.push(cycle); cycle.map = new Map([[cycle, cycle]]);
const twin = structuredClone(cycle);
console.log(twin.self === twin, twin.list[0] === twin, twin.map.get(twin) === twin, twin !== cycle); // expect: true true true true
const shared = {}, pair = structuredClone([shared, shared]);
console.log(pair[0] === pair[1], structuredClone([new Number(1), new String('s'), new Boolean(false), Object(2n)])); // expect: true [ [Number: 1], [String: 's'], [Boolean: false], [BigInt: 2n] ]
const e = structuredClone(new RangeError('m', { cause: { why: 1 } }));
console.log(e instanceof RangeError, e.name, e.message, e.cause, typeof e.stack, Object.keys(e).length); // expect: true RangeError m { why: 1 } string 0
class Own extends Error { constructor() { super('own'); this.name = 'Own'; this.extra = 1; } }
const own = structuredClone(new Own());
console.log(own.constructor === Error, own.name, own.message, own.extra); // expect: true Error own undefined
class Point { constructor() { this.x = 1; } get y() { return 2; } }
console.log(structuredClone(new Point()).constructor === Object, Object.keys(structuredClone(Object.create({ inherited: 1 }, { own: { enumerable: true, get: () => 'got' }, hidden: { value: 1 } }))).join()); // expect: true own
const buffer = new Uint8Array([1, 2, 3, 4]), views = structuredClone([buffer.subarray(1, 3), buffer, new DataView(buffer.buffer, 2), new Float64Array([1.5])]);
console.log(views[0].join(), views[0].buffer === views[1].buffer, views[0].byteOffset, views[2].getUint8(1), views[3][0], views[1] !== buffer); // expect: 2,3 true 1 4 1.5 true
const moved = structuredClone({ buffer }, { transfer: [buffer.buffer] });
console.log(moved.buffer.join(), buffer.length, buffer.buffer.byteLength); // expect: 1,2,3,4 0 0
const many = Array.from({ length: 3 }); many.named = 1;
console.log(structuredClone(many).named, structuredClone(many).length, structuredClone(null), structuredClone(undefined), structuredClone('s')); // expect: 1 3 null undefined s
const blob = structuredClone(new Blob(['b'], { type: 't' }));
console.log(blob instanceof Blob, await blob.text(), blob.type); // expect: true b t
const fails = [() => 1, Symbol('x'), new WeakMap(), Promise.resolve(), { f() {} }, [Symbol.iterator], new WeakRef({}), (function* () {})()];
console.log(fails.map((v) => { try { structuredClone(v); return 'cloned'; } catch (x) { return `${x.name}${x.code}`; } }).join()); // expect: DataCloneError25,DataCloneError25,DataCloneError25,DataCloneError25,DataCloneError25,DataCloneError25,DataCloneError25,DataCloneError25
const wrong = [() => structuredClone(), () => structuredClone(1, 1), () => { const b = new ArrayBuffer(1); structuredClone(1, { transfer: [b, b] }); }];
console.log(wrong.map((x) => { try { x(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,DataCloneError
