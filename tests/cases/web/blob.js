// Blob and File.
const b = new Blob(['aé', new Uint8Array([98, 99]), new Blob(['d']), new Uint16Array([0x6665]).buffer, 1], { type: 'Text/PLAIN' });
console.log(b.size, b.type, await b.text(), Object.prototype.toString.call(b)); // expect: 9 text/plain aébcdef1 [object Blob]
console.log((await b.arrayBuffer()).byteLength, await b.slice(1, 3).text(), b.slice(-2).size, b.slice(2, 1).size, b.slice(0, 1, 'X/y').type); // expect: 9 é 2 0 x/y
const source = new Uint8Array([65]);
const kept = new Blob([source]);
source[0] = 66;
console.log(await kept.text(), new Blob([]).size, new Blob().type, new Blob(['x'], { type: 'é' }).type === ''); // expect: A 0  true
let total = 0, chunks = 0;
for await (const chunk of new Blob(['x'.repeat(200000)]).stream()) { total += chunk.length; chunks += 1; }
console.log(total, chunks > 0); // expect: 200000 true
const f = new File(['x'], 'n/ä.txt', { type: 't', lastModified: 5 });
console.log(f.name, f.size, f.lastModified, f instanceof Blob, f.type, new File([], 'x').lastModified > 1e12); // expect: n/ä.txt 1 5 true t true
console.log(await new Blob(['\ufeffbom']).text() === 'bom', await new Blob(['\ud800']).text()); // expect: true �
const wrong = [() => new Blob('abc'), () => new Blob([], 1), () => Blob([]), () => new File([]), () => Blob.prototype.size, () => new Blob([Symbol()]), () => new Blob([], { endings: 'x' })];
console.log(wrong.map((x) => { try { x(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError
console.log(await Blob.prototype.text.call({}).catch((e) => e.name)); // expect: TypeError
