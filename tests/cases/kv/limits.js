// Each limit from both sides.
// flags: --module kv={"quota_kb":2048}
const kv = require('kv');
const failed = (promise) => promise.then(() => 'worked', (e) => `${e.code} ${e.message}`);
console.log(await failed(kv.set('k'.repeat(512), 1)), '|', await failed(kv.set('k'.repeat(513), 1)), '|', await failed(kv.get(''))); // expect: worked | ETOOBIG the key is longer than 512 bytes | EINVAL a key has at least one character
console.log(await failed(kv.set('v', new Uint8Array(1 << 20))), '|', await failed(kv.set('v', new Uint8Array((1 << 20) + 1)))); // expect: worked | ETOOBIG the value is larger than 1048576 bytes
// 512 + 1 + 64 of the first, 1 + 1 MiB + 64 of the second, 1 + 64 of the third.
const left = (1 << 20) - 577 - 65 - 65;
console.log(await failed(kv.set('w', new Uint8Array(left + 1))), '|', await failed(kv.set('w', new Uint8Array(left)))); // expect: EQUOTA the namespace would hold 2097153 bytes, more than its 2048 KiB (quota_kb of the grant) | worked
console.log(await failed(kv.set('x', 1)).then((text) => text.slice(0, 6)), await failed(kv.delete('w')), await failed(kv.set('x', 1))); // expect: EQUOTA worked worked
console.log(await failed(kv.list({ limit: 1000 })), '|', await failed(kv.list({ limit: 1001 })), '|', await failed(kv.list({ limit: 0 }))); // expect: worked | EINVAL the limit is not between 1 and 1000 | EINVAL the limit is not between 1 and 1000
console.log(await failed(kv.set('t', 1, { ttl: 0 })), '|', await failed(kv.set('t', 1, { ttl: 1 }))); // expect: EINVAL the ttl is at least a millisecond | worked
console.log(await failed(kv.increment('i', Infinity))); // expect: EINVAL the increment is no finite number
