// Response.
const r = new Response('x', { status: 201, statusText: 'Made', headers: { A: '1' } });
console.log(r.status, r.statusText, r.ok, r.type, r.url === '', r.redirected, r.headers.get('a'), Object.prototype.toString.call(r)); // expect: 201 Made true default true false 1 [object Response]
const j = Response.json({ a: [1] }, { status: 418 });
console.log(j.status, j.ok, j.headers.get('content-type'), await j.text()); // expect: 418 false application/json {"a":[1]}
console.log(Response.json(1, { headers: { 'content-type': 'a/b' } }).headers.get('content-type'), new Response(null, { status: 204 }).body, new Response('', { status: 599 }).status); // expect: a/b null 599
const to = Response.redirect('http://h/ü', 301), error = Response.error();
console.log(to.status, to.headers.get('location'), error.type, error.status, error.ok); // expect: 301 http://h/%C3%BC error 0 false
const wrong = [() => new Response('', { status: 99 }), () => new Response('', { status: 600 }), () => new Response('x', { status: 204 }), () => new Response('', { statusText: '\n' }), () => Response.redirect('http://h', 200), () => Response.redirect('/x'), () => Response.json(undefined), () => Response.json(1n), () => to.headers.set('a', '1'), () => error.headers.append('a', '1'), () => Response('x'), () => new Response(Symbol())];
console.log(wrong.map((x) => { try { x(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: RangeError,RangeError,TypeError,TypeError,RangeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError
const copy = r.clone();
copy.headers.set('a', '2');
console.log(r.headers.get('a'), copy.status, copy.statusText, await copy.text(), r.bodyUsed); // expect: 1 201 Made x false
