// not-node: its versions differ in this
// The console shows what these objects are.
console.log(new URLSearchParams('a=1'), new Headers({ a: '1', 'x-y': '2' }), new Blob(['x'])); // expect: URLSearchParams { 'a' => '1' } Headers { a: '1', 'x-y': '2' } Blob { size: 1, type: '' }
console.log([new AbortController()], AbortSignal.abort()); // expect: [ AbortController { signal: AbortSignal { aborted: false } } ] AbortSignal { aborted: true }
console.log(new File(['x'], 'n', { lastModified: 1 }), new FormData()); // expect: File { size: 1, type: '', name: 'n', lastModified: 1 } FormData {}
console.log(new Response(null, { status: 204 }));
// expect: Response {
// expect:   status: 204,
// expect:   statusText: '',
// expect:   headers: Headers {},
// expect:   body: null,
// expect:   bodyUsed: false,
// expect:   ok: true,
// expect:   redirected: false,
// expect:   type: 'default',
// expect:   url: ''
// expect: }
console.log({ u: new URL('http://h/') }.u.searchParams, crypto, new EventTarget()); // expect: URLSearchParams {} Crypto {} EventTarget {}
class Mine extends URL {}
console.log(String(new Mine('http://h')), new ReadableStream(), new TextEncoderStream()); // expect: http://h/ ReadableStream { locked: false, state: 'readable' } TextEncoderStream {}
console.log([new DOMException('m', 'AbortError')].length, Object.create(URL.prototype)); // expect: 1 URL {}
throw new DOMException('told', 'DataError');
// exit: 1
// expect-error: DataError: told
