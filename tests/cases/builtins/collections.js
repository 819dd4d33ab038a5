// Arrays, maps, sets and typed arrays.
const a = [3, 1, 2];
console.log(a.toSorted(), a, a.with(0, 9), a.toReversed(), a.at(-1)); // expect: [ 1, 2, 3 ] [ 3, 1, 2 ] [ 9, 1, 2 ] [ 2, 1, 3 ] 2
console.log([1, [2, [3, [4]]]].flat(Infinity), a.findLast((x) => x > 1), a.includes(2), Array.from({ length: 2 }, (_, i) => i)); // expect: [ 1, 2, 3, 4 ] 2 true [ 0, 1 ]
console.log(Object.groupBy([1, 2, 3], (x) => (x % 2 ? 'odd' : 'even')).odd, a.toSpliced(0, 1)); // expect: [ 1, 3 ] [ 1, 2 ]
console.log([10, 9, 1].sort(), [10, 9, 1].sort((x, y) => x - y), [1, 2, 3].reduceRight((s, x) => s + x, '')); // expect: [ 1, 10, 9 ] [ 1, 9, 10 ] 321
const people = [{ n: 'a', g: 1 }, { n: 'b', g: 0 }, { n: 'c', g: 1 }];
console.log(people.sort((x, y) => x.g - y.g).map((p) => p.n).join('')); // expect: bac
const m = new Map([['x', 1], [NaN, 2]]);
m.set('y', 3).delete('x');
console.log(m, m.get(NaN), [...m.keys()].length); // expect: Map(2) { NaN => 2, 'y' => 3 } 2 2
console.log(new Set([1, 2, 2, 3]), new Set([1, 2]).union(new Set([2, 3])).size, new Set([1]).isSubsetOf(new Set([1, 2]))); // expect: Set(3) { 1, 2, 3 } 3 true
const bytes = Uint8Array.from([1, 2, 300]);
console.log(bytes, new Uint8ClampedArray([300])[0], bytes.subarray(1).byteOffset); // expect: Uint8Array(3) [ 1, 2, 44 ] 255 1
const view = new DataView(new ArrayBuffer(8));
view.setFloat64(0, Math.PI);
console.log(view.getUint8(0), new Float32Array([1.5, 2]).join('/'), new BigInt64Array(1)[0]); // expect: 64 1.5/2 0n
console.log(Object.entries({ b: 1, a: 2 }).flat().join(), Object.fromEntries([['k', 1]]), structuredCloneOr()); // expect: b,1,a,2 { k: 1 } copied
function structuredCloneOr() { return JSON.parse(JSON.stringify({ v: 'copied' })).v; }
