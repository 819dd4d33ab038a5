// not-node: its own classes would fall over
// A script that breaks the language's prototypes breaks its own things, not these.
const boom = () => { throw new Error('called'); };
const keep = { log: console.log, all: Promise.all.bind(Promise) };
const blob = new Blob(['abc']), form = new FormData(), target = new EventTarget(), source = { a: [1, { b: new Map([[1, 2]]) }] };
const { defineProperty } = Object;
for (const [proto, names] of [[Array.prototype, ['push', 'slice', 'splice', 'join', 'sort', 'indexOf', 'map', 'forEach']], [Map.prototype, ['get', 'set', 'has', 'forEach', 'delete']], [Set.prototype, ['add', 'has', 'forEach']], [String.prototype, ['replace', 'slice', 'split', 'toLowerCase', 'trim', 'charCodeAt', 'indexOf']], [Object.prototype, ['toString', 'hasOwnProperty']], [RegExp.prototype, ['test']]]) {
  for (const name of names) defineProperty(proto, name, { value: boom, writable: true, configurable: true });
}
const tags = defineProperty({ plain: 1 }, Symbol.toStringTag, { value: 'Map' });
keep.log(structuredClone(source).a[1].b.size, structuredClone(tags).plain); // expect: 1 1
const headers = new Headers({ X: '1' });
headers.append('x', '2');
keep.log(headers.get('X'), headers.has('y')); // expect: 1, 2 false
target.addEventListener('x', () => keep.log('heard')); // expect: heard
target.dispatchEvent(new Event('x'));
form.append('k', 'v');
keep.log(form.get('k'), blob.slice(1).size, crypto.randomUUID().length); // expect: v 2 36
const c = new AbortController();
AbortSignal.any([c.signal]).onabort = () => keep.log('aborted'); // expect: aborted
c.abort();
delete Uint8Array.prototype.set; Uint8Array = boom; TextEncoder = boom; Promise = boom; DOMException = boom;
keep.log(await new Response('text').text(), await blob.text()); // expect: text abc
try { structuredClone(boom); } catch (e) { keep.log(e.name); } // expect: DataCloneError
keep.log(blob, headers); // expect: Blob { size: 3, type: '' } Headers { x: '1, 2' }
