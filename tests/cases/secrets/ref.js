// A reference is a placeholder; values are told only where the grant reveals them, and only a server keeps any.
// flags: --module secrets={"names":["API"],"reveal":["SEEN"]}
const { ref, get } = require('secrets');
console.log(`Bearer ${ref('API')}`, JSON.stringify(ref('SEEN'))); // expect: Bearer {{secret:API}} "{{secret:SEEN}}"
try { ref('OTHER'); } catch (e) { console.log(e.code, e.message); } // expect: NOT_GRANTED secret OTHER: not granted; `names` of module 'secrets' in the template would have to
for (const name of ['API', 'OTHER']) await get(name).catch((e) => console.log(e.code, e.message));
// expect: NOT_GRANTED the value of secret API: not granted; `reveal` of module 'secrets' in the template would have to
// expect: NOT_GRANTED the value of secret OTHER: not granted; `reveal` of module 'secrets' in the template would have to
await get('SEEN').catch((e) => console.log(e.code, e.message)); // expect: ENOSECRET no secrets are kept here: `vm-system serve` keeps them
