// URLSearchParams, alone and as a part of a URL.
const p = new URLSearchParams('?a=1&b=2&a=3&c&=d&e=%zz+%20%2B&ü=🙂');
console.log(p.get('a'), p.getAll('a').join(), p.has('c'), p.has('a', '3'), p.get('c') === '', p.get(''), p.get('nope'), p.size); // expect: 1 1,3 true true true d null 7
console.log(`${p}`); // expect: a=1&b=2&a=3&c=&=d&e=%25zz++%2B&%C3%BC=%F0%9F%99%82
p.append('a', 'x y'); p.set('b', '&='); p.delete('c'); p.delete('a', '1');
console.log(`${p}`); // expect: b=%26%3D&a=3&=d&e=%25zz++%2B&%C3%BC=%F0%9F%99%82&a=x+y
p.sort();
console.log([...p.keys()].join(), [...p.values()].length, [...p][0].join('=')); // expect: ,a,a,b,e,ü 6 =d
console.log(`${new URLSearchParams({ x: 1, y: null })}`, `${new URLSearchParams([['k', 'v'], ['k', 'w']])}`, `${new URLSearchParams(new Map([['m', 'n']]))}`, `${new URLSearchParams(p) === `${p}`}`); // expect: x=1&y=null k=v&k=w m=n false
console.log([[['a']], [1], [['a', 'b', 'c']]].map((x) => { try { return `${new URLSearchParams(x)}`; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,TypeError
const u = new URL('http://h/?a=1');
u.searchParams.append('b', 'ä'); u.searchParams.delete('a');
console.log(u.href, u.searchParams === u.searchParams); // expect: http://h/?b=%C3%A4 true
u.search = '?z=9';
console.log(`${u.searchParams}`, [...u.searchParams.entries()].join()); // expect: z=9 z,9
const seen = [];
p.forEach((value, key, all) => { seen.push(key + all.constructor.name[0]); });
console.log(seen.join()); // expect: U,aU,aU,bU,eU,üU
console.log(`${new URLSearchParams('\ud800=\udfff')}`, `${new URLSearchParams("~!'()*-._")}`, Object.prototype.toString.call(p.entries())); // expect: %EF%BF%BD=%EF%BF%BD %7E%21%27%28%29*-._= [object URLSearchParams Iterator]
const many = new URLSearchParams(Array.from({ length: 5000 }, (_, i) => ['k' + i % 10, String(i)]));
console.log(many.size, many.getAll('k3').length, many.toString().length); // expect: 5000 500 38889
