// A grant to read.
// flags: --module kv={"access":"read-only"}
const kv = require('kv');
const failed = (promise) => promise.then(() => 'worked', (e) => `${e.code} ${e.message}`);
console.log(await failed(kv.set('a', 1))); // expect: NOT_GRANTED changing keys: not granted; `access` of module 'kv' in the template would have to
console.log((await failed(kv.delete('a'))).slice(0, 11), (await failed(kv.increment('a'))).slice(0, 11), await failed(kv.get('a'))); // expect: NOT_GRANTED NOT_GRANTED worked
