// Streams.
const collect = async (stream) => { const all = []; for await (const chunk of stream) all.push(chunk); return all.join(); };
const count = (n) => new ReadableStream({ i: 0, pull(c) { if (this.i === n) c.close(); else c.enqueue(this.i++); } });
console.log(await collect(count(4)), await collect(ReadableStream.from(['a', 'b'])), await collect(count(3).pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x * 2); } })))); // expect: 0,1,2,3 a,b 0,2,4
const [a, b] = count(3).tee();
console.log(await collect(a), await collect(b)); // expect: 0,1,2 0,1,2
const written = [];
await count(3).pipeTo(new WritableStream({ write(x) { written.push(x); }, close() { written.push('closed'); } }));
console.log(written.join()); // expect: 0,1,2,closed
const bytes = new ReadableStream({ type: 'bytes', pull(c) { c.enqueue(new Uint8Array([1, 2, 3])); c.close(); } });
const reader = bytes.getReader({ mode: 'byob' }), first = await reader.read(new Uint8Array(2));
console.log(first.value.join(), first.done, (await reader.read(new Uint8Array(2))).value.join()); // expect: 1,2 false 3
console.log(await collect(ReadableStream.from(['h', 'é', '\ud83d', '\ude42']).pipeThrough(new TextEncoderStream()).pipeThrough(new TextDecoderStream()))); // expect: h,é,🙂
const ac = new AbortController(), piped = count(1e9).pipeTo(new WritableStream({ write() { ac.abort(); } }), { signal: ac.signal });
console.log(await piped.catch((e) => e.name)); // expect: AbortError
const cancelled = new ReadableStream({ cancel(why) { written.push(why); } });
await cancelled.cancel('enough');
console.log(written.at(-1), cancelled.locked, await new ReadableStream({ start(c) { c.error(new RangeError('x')); } }).getReader().read().catch((e) => e.name)); // expect: enough false RangeError
const slow = new WritableStream({ write() {} }, new CountQueuingStrategy({ highWaterMark: 2 })).getWriter();
console.log(slow.desiredSize, (slow.write(1), slow.desiredSize), await slow.ready === undefined); // expect: 2 1 true
for await (const x of count(10)) if (x === 3) { console.log('left at', x); break; } // expect: left at 3
const wrong = [() => new ReadableStream({ type: 'x' }), () => ReadableStream(), () => count(1).getReader({ mode: 'x' }), () => { const s = count(1); s.getReader(); s.getReader(); }, () => new ReadableStreamDefaultReader({}), () => new ReadableStreamDefaultController()];
console.log(wrong.map((x) => { try { x(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,TypeError,TypeError,TypeError,TypeError
