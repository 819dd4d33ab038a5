// JSON both ways.
console.log(JSON.stringify({ a: [1, undefined, () => 1, NaN], b: undefined, d: new Date(0), n: null })); // expect: {"a":[1,null,null,null],"d":"1970-01-01T00:00:00.000Z","n":null}
console.log(JSON.stringify({ z: 1, y: { x: 2 } }, null, 1).split('\n').length, JSON.stringify({ a: 1, b: 2 }, ['b'])); // expect: 6 {"b":2}
console.log(JSON.stringify("\ud800\"\\"), JSON.stringify({ toJSON: () => "own" })); // expect: "\ud800\"\\" "own"
console.log(JSON.parse('{"__proto__": 1, "a": [1e3]}').a[0], JSON.parse('[1,2]', (k, v) => (Array.isArray(v) ? v : v * 2))); // expect: 1000 [ 2, 4 ]
for (const bad of ['', '{', '{"a":1,}', "'a'", '01', 'undefined']) { try { JSON.parse(bad); console.log('parsed', bad); } catch (e) { if (e.name !== 'SyntaxError') console.log(e.name); } }
const cycle = {}; cycle.self = cycle;
try { JSON.stringify(cycle); } catch (e) { console.log(e.name); } // expect: TypeError
try { JSON.stringify(1n); } catch (e) { console.log(e.name); } // expect: TypeError
