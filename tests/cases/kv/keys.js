// Keys and values: JSON or bytes, versions, conditions, lists.
// flags: --module kv
const kv = require('kv');
console.log(await kv.get('a'), await kv.set('a', { x: [1, null] }), JSON.stringify(await kv.get('a'))); // expect: undefined 1 {"x":[1,null]}
await kv.set('b', new Uint8Array([1, 255]));
const b = await kv.get('b');
console.log(b instanceof Uint8Array, String(b)); // expect: true 1,255
console.log(await kv.cas('a', 7, 0), await kv.cas('a', 1, 0), await kv.cas('a', null, 1), await kv.cas('new', null, 1)); // expect: false true false true
console.log(await kv.set('a', 1, { ifVersion: 1 }).catch((e) => e.code), (await kv.getEntry('a')).version); // expect: ECONFLICT 3
console.log(await kv.increment('n'), await kv.increment('n', 1.5), await kv.increment('b').catch((e) => `${e.code} ${e.message}`)); // expect: 1 2.5 EINVAL the value is no number
console.log(await kv.delete('b', { ifVersion: 1 }), await kv.delete('b'), await kv.delete('b')); // expect: false true false
for (let i = 0; i < 5; i++) await kv.set(`p/${i}`, i);
const first = await kv.list({ prefix: 'p/', limit: 2 });
console.log(first.entries.map((e) => e.key).join(), first.cursor); // expect: p/0,p/1 p/1
const rest = await kv.list({ prefix: 'p/', cursor: first.cursor });
console.log(rest.entries.map((e) => e.value).join(), rest.cursor); // expect: 2,3,4 null
let all = '';
for await (const { key } of kv.entries('p/')) all += key;
console.log(all); // expect: p/0p/1p/2p/3p/4
await kv.set('soon', 1, { ttl: 30 });
console.log(await kv.get('soon'), (await kv.getEntry('soon')).expiresAt instanceof Date); // expect: 1 true
await new Promise((resolve) => setTimeout(resolve, 60));
console.log(await kv.get('soon'), (await kv.list('soon')).entries.length, await kv.cas('soon', null, 2)); // expect: undefined 0 true
console.log(await kv.set('u', undefined).catch((e) => e.name), await kv.set(1, 1).catch((e) => e.name)); // expect: TypeError TypeError
