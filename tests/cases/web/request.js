// Request.
const r = new Request('http://h/a?b#c', { method: 'post', headers: { A: '1' }, body: 'x', redirect: 'manual' });
console.log(r.url, r.method, r.headers.get('a'), r.headers.get('content-type'), r.redirect, r.bodyUsed, r.credentials, r.cache, r.mode, r.signal.aborted); // expect: http://h/a?b#c POST 1 text/plain;charset=UTF-8 manual false same-origin default cors false
const c = new AbortController(), s = new Request(r, { headers: { B: '2' }, signal: c.signal });
console.log(r.bodyUsed, s.method, s.headers.get('a'), s.headers.get('b'), await s.text()); // expect: true POST null 2 x
c.abort('gone');
console.log(s.signal.aborted, s.signal.reason, s.signal !== c.signal); // expect: true gone true
const d = new Request('http://h', { method: 'PUT', body: '1' }), e = d.clone();
console.log(await d.text(), await e.text(), e.method, new Request('http://h').body, new Request('http://h', { method: 'patch' }).method); // expect: 1 1 PUT null patch
console.log(new Request(new URL('HTTP://ÜBER.de')).url, new Request('http://h', { body: new URLSearchParams('q=1'), method: 'DELETE' }).headers.get('content-type')); // expect: http://xn--ber-goa.de/ application/x-www-form-urlencoded;charset=UTF-8
const wrong = [() => new Request(), () => new Request('/relative'), () => new Request('http://u:p@h'), () => new Request('http://h', { body: 'x' }), () => new Request('http://h', { method: 'HEAD', body: 'x' }), () => new Request('http://h', { method: 'CONNECT' }), () => new Request('http://h', { method: 'a b' }), () => new Request('http://h', { redirect: 'x' }), () => new Request('http://h', { signal: {} }), () => new Request('http://h', { method: 'POST', body: new ReadableStream() }), () => Request('http://h'), () => new Request(d), () => new Request('http://h', { headers: { 'a b': '1' } })];
console.log(wrong.map((x) => { try { x(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError
