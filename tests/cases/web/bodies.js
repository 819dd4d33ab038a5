// Bodies of Request and Response, in all they can be made of and read as.
const type = (body) => new Response(body).headers.get('content-type');
console.log(type('x'), type(new URLSearchParams('a=b')), type(new Blob(['x'], { type: 'a/b' })), type(new Uint8Array(1)), type(null)); // expect: text/plain;charset=UTF-8 application/x-www-form-urlencoded;charset=UTF-8 a/b null null
console.log(await new Response('é').text(), await new Response('[1]').json(), (await new Response('é').arrayBuffer()).byteLength, (await new Response('abc').blob()).type); // expect: é [ 1 ] 2 text/plain;charset=utf-8
console.log(await new Response(new Uint16Array([0x6261])).text(), await new Response(new DataView(new ArrayBuffer(2), 1)).text() === '\0', await new Response(new URLSearchParams({ q: 'a b' })).text(), await new Response({ toString: () => 'o' }).text()); // expect: ab true q=a+b o
const r = new Response('once');
console.log(r.bodyUsed, await r.text(), r.bodyUsed, await r.text().catch((e) => e.name)); // expect: false once true TypeError
const empty = new Response();
console.log(empty.body, await empty.text() === '', empty.bodyUsed, await empty.text() === '', await empty.json().catch((e) => e.name)); // expect: null true false true SyntaxError
const two = new Response('twice'), other = two.clone();
console.log(await two.text(), await other.text()); // expect: twice twice
const used = new Response('x');
await used.text();
try { used.clone(); } catch (e) { console.log(e.name); } // expect: TypeError
const encoder = new TextEncoder();
const stream = () => new ReadableStream({ start(c) { c.enqueue(encoder.encode('st')); c.enqueue(encoder.encode('ream')); c.close(); } });
console.log(await new Response(stream()).text(), type(stream()), await new Request('http://h', { method: 'POST', body: stream(), duplex: 'half' }).text()); // expect: stream null stream
const s = new Response(stream()), t = s.clone();
console.log(await s.text(), await t.text()); // expect: stream stream
const reader = new Response('read').body.getReader();
console.log(new TextDecoder().decode((await reader.read()).value), (await reader.read()).done); // expect: read true
const locked = new Response(stream());
locked.body.getReader();
console.log(locked.bodyUsed, await locked.text().catch((e) => e.name)); // expect: false TypeError
console.log(await new Response(new ReadableStream({ start(c) { c.enqueue('text'); c.close(); } })).text().catch((e) => e.name)); // expect: TypeError
console.log(await new Response(new ReadableStream({ start(c) { c.error(new RangeError('broken')); } })).text().catch((e) => e.name)); // expect: RangeError
const b = new Response('x');
b.body;
console.log(await b.text(), b.bodyUsed, b.body !== null, b.body === b.body); // expect: x true true true
console.log((await new Response('a=1&b=%20', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }).formData()).get('b') === ' '); // expect: true
