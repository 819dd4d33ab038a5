// Counters, a lock and a cache in kv: whoever reads, computes and writes has to write what it has read.
// flags: --module kv --module timer
const kv = require('kv');
const { sleep } = require('timer');

async function update(key, change, start) {
  for (let tries = 1; ; tries++) {
    const entry = await kv.getEntry(key);
    const next = change(structuredClone(entry?.value ?? start));
    await sleep(0);
    if (await kv.cas(key, entry?.version ?? null, next)) return tries;
  }
}

// Ten that count the same words at once, without losing one.
const words = 'the quick brown fox jumps over the lazy dog and the cat'.split(' ');
const tries = await Promise.all(Array.from({ length: 10 }, () => update('words', (counts) => {
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}, {})));
const counts = await kv.get('words');
console.log(counts.the, counts.fox, Object.keys(counts).length); // expect: 30 10 10
console.log(tries.length, tries.some((n) => n > 1), (await kv.getEntry('words')).version > 0); // expect: 10 true true
// What is lost without: all of them read before the first writes.
const seen = await Promise.all(Array.from({ length: 10 }, () => kv.get('lossy')));
await Promise.all(seen.map((n = 0) => kv.set('lossy', n + 1)));
console.log(await kv.get('lossy'), (await Promise.all(Array.from({ length: 10 }, () => kv.increment('exact')))).sort((a, b) => a - b).at(-1)); // expect: 1 10

// A lock that is given back, and one that runs out.
async function locked(name, work, ttl = 1000) {
  const mine = crypto.randomUUID();
  while (!(await kv.cas(`lock/${name}`, null, mine, { ttl }))) await sleep(2);
  try { return await work(); } finally {
    const entry = await kv.getEntry(`lock/${name}`);
    if (entry?.value === mine) await kv.delete(`lock/${name}`, { ifVersion: entry.version });
  }
}
let inside = 0, most = 0;
await Promise.all(Array.from({ length: 5 }, () => locked('one', async () => { most = Math.max(most, ++inside); await sleep(3); inside--; })));
console.log(most, await kv.get('lock/one')); // expect: 1 undefined
await kv.set('lock/gone', 'someone who crashed', { ttl: 30 });
console.log(await locked('gone', () => 'taken over')); // expect: taken over

// A cache: computed once within its time.
let computed = 0;
async function cached(key, ttl, compute) {
  const found = await kv.get(key);
  if (found !== undefined) return found;
  const value = await compute();
  await kv.set(key, value, { ttl });
  return value;
}
const expensive = () => cached('cache/report', 60_000, async () => { computed++; return { rows: [1, 2, 3], at: 'noon' }; });
console.log(JSON.stringify(await expensive()), JSON.stringify(await expensive()), computed); // expect: {"rows":[1,2,3],"at":"noon"} {"rows":[1,2,3],"at":"noon"} 1

// A log of events in order, read page by page and cleaned up.
for (let at = 0; at < 25; at++) await kv.set(`log/${String(at).padStart(6, '0')}`, { at });
const pages = [];
let cursor;
do {
  const page = await kv.list({ prefix: 'log/', limit: 10, cursor });
  pages.push(page.entries.length);
  cursor = page.cursor;
} while (cursor !== null);
console.log(pages.join()); // expect: 10,10,5
let removed = 0;
for await (const { key, value } of kv.entries('log/')) if (value.at < 20) removed += await kv.delete(key);
console.log(removed, (await kv.list({ prefix: 'log/' })).entries.map(({ value }) => value.at).join()); // expect: 20 20,21,22,23,24
