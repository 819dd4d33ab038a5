// What util.inspect shows otherwise than Node.
// not-node: bodies are other streams, and only the engine knows what an iterator still has
// flags: --module util
const { inspect } = require('util');
console.log(inspect(new Map([[1, 2]]).entries()), inspect(new Set([1]).values())); // expect: [Map Iterator] { <items unknown> } [Set Iterator] { <items unknown> }
const { status, headers, body } = new Response('x', { status: 201 });
console.log(inspect(new Response('x', { status: 201 })).split('\n').slice(0, 4).join('')); // expect: Response {  status: 201,  statusText: '',  headers: Headers { 'content-type': 'text/plain;charset=UTF-8' },
console.log(inspect(body), inspect(new Request('http://h/')).split('\n').slice(0, 3).join('')); // expect: ReadableStream { locked: false, state: 'readable' } Request {  method: 'GET',  url: 'http://h/',
