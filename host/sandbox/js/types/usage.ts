// Compiled by `npm run types-check`, never run: what scripts write must be what the declarations allow, and what they
// must not write has `@ts-expect-error`.
import assert, { deepStrictEqual } from 'assert';
import strict from 'node:assert/strict';
import { Buffer as Bytes } from 'buffer';
import EventEmitter, { once } from 'events';
import nodeEvents from 'node:events';
import path, { posix } from 'node:path';
import joined from 'path/posix';
import querystring from 'querystring';
import { StringDecoder } from 'string_decoder';
import { setTimeout as sleep, setInterval as every } from 'timers/promises';
import nodeTimers from 'node:timers/promises';
import url, { parse } from 'url';
import util, { inspect, promisify } from 'util';
import types, { isMap } from 'util/types';

declare const given: unknown;
assert(typeof given === 'string');
const narrowed: string = given;
strict.equal(narrowed, 'x');
deepStrictEqual([1], [1]);
await assert.rejects(async () => {}, /x/);
await strict.rejects(Promise.reject(new Error()), { name: 'Error' });

const bytes: Bytes = Bytes.from('x').subarray(0, 1), global: Buffer = Buffer.concat([bytes]);
const array: Uint8Array = global;
const text: string = bytes.toString('base64url');
// @ts-expect-error there is no such encoding
bytes.toString('nope');

class Mine extends EventEmitter {}
const emitter = new Mine({ captureRejections: true }).on('a', (value: number) => value).once('b', () => {});
const [first] = await once(emitter, 'a', { signal: AbortSignal.timeout(1) });
for await (const [event] of EventEmitter.on(new nodeEvents(), 'x')) console.log(event, first);

const base: string = path.basename(posix.join('a', joined.resolve('b')));
const query: string | string[] | undefined = querystring.parse(base).x;
const decoded: string = new StringDecoder('utf8').write(array) + text + query;
const answer: number = await sleep(1, 1, { signal: new AbortController().signal });
for await (const tick of every(1, 'tick')) console.log(tick.length, await nodeTimers.scheduler.wait(1));
const host: string | null = parse(decoded, true).host, href: string = url.pathToFileURL('/').href;
const promised: (x: number) => Promise<string> = promisify((x: number, done: (error: any, value: string) => void) => done(null, `${x}`));
console.log(inspect(host, { depth: null }), util.format('%s', href), await promised(answer), isMap(given), types.isDate(given));

const required = require('events'), timers = require('node:timers'), promises = require('timers/promises');
new required().emit('x');
await promises.setTimeout(Number(timers.setTimeout(() => {}, 1).unref().refresh()));
const { join }: { join(...paths: string[]): string } = require('path');
join(require('assert/strict').AssertionError.name, require('fs').readFileSync('x'), require('util').inspect.custom.description ?? '');
// @ts-expect-error there is no such module
require('http');

// The web's globals.
const response: Response = new Response(new Blob(['x']).stream(), { headers: { a: 'b' } });
const parts: [string, string][] = [...new URL('x:y').searchParams, ...response.headers];
const copied: { a: Map<number, Date> } = structuredClone({ a: new Map([[parts.length, new Date()]]) });
const timer: number = setTimeout((a: number) => console.log(a), 1, copied.a.size);
clearTimeout(timer);
for await (const chunk of ReadableStream.from([1]).pipeThrough(new TransformStream<number, string>())) console.log(chunk.length);
crypto.getRandomValues(new Uint8Array(new TextEncoder().encode(btoa(crypto.randomUUID()))));
console.log(__ARGS__, __ENV__);

// Types that the caller knows.
interface User { id: number; name: string }
class Typed extends EventEmitter<{ data: [text: string, size: number]; end: [] }> {}
const typed = new Typed().on('data', (text, size) => text.slice(size)).once('error', (error) => console.log(error));
typed.emit('data', 'x', 1) && typed.emit('end');
// @ts-expect-error there is no such event
typed.on('dta', () => {});
// @ts-expect-error its arguments are others
typed.emit('data', 1);
const [answered] = await once(typed, 'data');
const database = require('database'), kv = require('kv'), csv = require('csv');
const names: string[] = database.query<User>('select 1').map((user) => user.name.slice(user.id));
const plain: string | number | bigint | Uint8Array | null | undefined = database.query('select 1')[0]?.a;
const kept = database.open(':memory:').prepare<User>('select 1'), user: User | undefined = kept.get(1);
const ids: number[] = [...kept.iterate()].map((user) => user.id), other: { a: 1 }[] = kept.all<{ a: 1 }>();
for await (const { id } of database.promises.iterate<User>('select 1')) console.log(id, answered, plain, user, other, ids, names);
const stored: User | undefined = await kv.get<User>('x'), version: number | undefined = (await kv.getEntry<User>('x'))?.value.id;
for await (const { value } of kv.entries<User>()) console.log(value.name, stored?.name, version, (await kv.get('y')).anything);
const cells: string[][] = csv.parse('1,2'), cast: number = csv.parse('1,2', { cast: true })[0]?.[0] + 1;
const records: Record<string, any>[] = csv.parse('a', { columns: true, cast: (text) => Number(text) });
const digest: ArrayBuffer = await crypto.subtle.digest('SHA-256', new Uint8Array(cells.length + cast + records.length));
console.log(digest.byteLength);
require('fs').read(3, new Uint8Array(4), 0, 4, 0, (error, bytes, buffer) => { const n: number = bytes + buffer.length; join(String(n), String(error)); });
for await (const line of (await require('fs/promises').open(new URL('file:///a'))).readLines()) join(line);
