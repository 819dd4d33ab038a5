// Headers.
const h = new Headers({ 'Content-Type': 'text/plain', 'X-B': ' two ' });
h.append('x-b', 'three'); h.append('Set-Cookie', 'a=1'); h.append('set-cookie', 'b=2'); h.set('A', 1);
console.log(JSON.stringify([...h])); // expect: [["a","1"],["content-type","text/plain"],["set-cookie","a=1"],["set-cookie","b=2"],["x-b","two, three"]]
console.log(h.get('X-B'), h.get('none'), h.has('SET-COOKIE'), h.getSetCookie().join(';'), h.get('set-cookie')); // expect: two, three null true a=1;b=2 a=1, b=2
h.delete('x-b'); h.set('set-cookie', 'c=3');
console.log([...h.keys()].join(), [...h.values()].join(), [...h.entries()].length, h.getSetCookie().length); // expect: a,content-type,set-cookie 1,text/plain,c=3 3 1
const copy = new Headers(h);
copy.set('a', '2');
console.log(h.get('a'), copy.get('a'), new Headers([['k', 'v'], ['K', 'w']]).get('k'), [...new Headers(new Map([['m', 'n']]))].join()); // expect: 1 2 v, w m,n
const log = [];
h.forEach(function (value, name, all) { log.push(name, this.x, all === h); }, { x: 1 });
console.log(log.join()); // expect: a,1,true,content-type,1,true,set-cookie,1,true
const wrong = [() => h.set('a b', '1'), () => h.set('', '1'), () => h.set('a', '\n1\n2'), () => h.set('a', 'é€'), () => h.append('a'), () => new Headers([['a']]), () => new Headers(1), () => new Headers(null), () => h.get('é'), () => new Headers({ [Symbol('s')]: 1 }), () => Headers.prototype.get.call({}, 'a')];
console.log(wrong.map((x) => { try { x(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError
h.set('v', '\t x\r\n ');
console.log(JSON.stringify(h.get('v')), JSON.stringify(new Headers({ l: '\xe9' }).get('l')), Object.prototype.toString.call(h), h.entries().toString()); // expect: "x" "é" [object Headers] [object Headers Iterator]
