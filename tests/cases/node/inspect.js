// Promises and the web's classes, as util.inspect shows them.
// flags: --module util
const { inspect } = require('util');
const show = (value, options) => inspect(value, options).replaceAll('\n', '\\n');
const rejected = Promise.reject(1);
rejected.catch(() => {});
console.log(show(new Promise(() => {})), show(rejected), show(Promise.resolve(1)), show({ a: Promise.resolve({ b: [1] }) })); // expect: Promise { <pending> } Promise { <rejected> 1 } Promise { 1 } { a: Promise { { b: [Array] } } }
console.log(show(new URL('http://u:p@h:1/p?a=b#c'))); // expect: URL {\n  href: 'http://u:p@h:1/p?a=b#c',\n  origin: 'http://h:1',\n  protocol: 'http:',\n  username: 'u',\n  password: 'p',\n  host: 'h:1',\n  hostname: 'h',\n  port: '1',\n  pathname: '/p',\n  search: '?a=b',\n  searchParams: URLSearchParams { 'a' => 'b' },\n  hash: '#c'\n}
console.log(show(new URLSearchParams('a=1&b=2&a=3')), show(new URLSearchParams()), show(new Headers({ a: 'b', 'x-y': 'c' })), show(new Headers())); // expect: URLSearchParams { 'a' => '1', 'b' => '2', 'a' => '3' } URLSearchParams {} Headers { a: 'b', 'x-y': 'c' } Headers {}
console.log(show(new URLSearchParams({ long: 'x'.repeat(50), longer: 'y'.repeat(50) }))); // expect: URLSearchParams {\n  'long' => 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',\n  'longer' => 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy' }
console.log(show(new Blob(['x'], { type: 't/p' })), show(new File(['x'], 'n.txt', { lastModified: 5 })), show(new AbortController()), show(AbortSignal.abort())); // expect: Blob { size: 1, type: 't/p' } File { size: 1, type: '', name: 'n.txt', lastModified: 5 } AbortController { signal: AbortSignal { aborted: false } } AbortSignal { aborted: true }
console.log(show({ a: { b: { c: new URL('http://h/') } } }, { depth: 1 }), show(new URL('http://h/'), { depth: -1 })); // expect: { a: { b: [Object] } } URL {}
console.log(Object.keys(Object.getPrototypeOf(new URL('x:y'))).includes('inspect')); // expect: false
