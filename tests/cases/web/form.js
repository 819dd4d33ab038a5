// FormData, and the way through multipart/form-data and back.
const f = new FormData();
f.append('a', 1); f.append('a', 'two'); f.append('file', new Blob(['content'], { type: 'text/x' }), 'n "q".txt'); f.append('b', new Blob(['x'])); f.set('late', 'é\n');
console.log(f.get('a'), f.getAll('a').join(), f.has('b'), f.get('b').name, f.get('file').name, f.get('file') instanceof File, f.get('no'), [...f.keys()].join()); // expect: 1 1,two true blob n "q".txt true null a,a,file,b,late
f.set('a', 'only'); f.delete('b');
console.log([...f].map(([k, v]) => `${k}=${v.name ?? v.length}`).join()); // expect: a=4,file=n "q".txt,late=2
const response = new Response(f);
console.log(/^multipart\/form-data; boundary=\S+$/.test(response.headers.get('content-type'))); // expect: true
const text = await response.clone().text(), back = await response.formData();
console.log(text.split('\r\n').filter((line) => line.startsWith('Content')).join(' | ')); // expect: Content-Disposition: form-data; name="a" | Content-Disposition: form-data; name="file"; filename="n %22q%22.txt" | Content-Type: text/x | Content-Disposition: form-data; name="late"
console.log([...back.keys()].join(), back.get('late') === 'é\r\n', back.get('file').name, back.get('file').type, await back.get('file').text()); // expect: a,file,late true n "q".txt text/x content
const parse = (text, boundary = 'X') => new Response(text, { headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } }).formData().then((form) => [...form].join('&'), (e) => e.name);
console.log(await parse('--X\r\nContent-Disposition: form-data; name="k"\r\n\r\nv\r\n--X--\r\n')); // expect: k,v
console.log(await parse('no boundary'), await parse('--X\r\n'), await parse('--X\r\n\r\nv\r\n--X--'), await parse('--X\r\nContent-Disposition: form-data; name="k"\r\n\r\nv')); // expect: TypeError TypeError TypeError TypeError
const wrong = [() => f.append('x'), () => f.append('x', 'y', 'z'), () => new FormData(1), () => FormData.prototype.get.call({}, 'a'), () => f.forEach(1)];
console.log(wrong.map((x) => { try { x(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,TypeError,TypeError,TypeError
