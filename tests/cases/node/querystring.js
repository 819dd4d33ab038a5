// flags: --module querystring
const qs = require('querystring');
console.log(JSON.stringify(qs.parse('a=1&b=2&a=3&c&=d&e=%zz+%20%2B&ü=🙂&__proto__=x'))); // expect: {"a":["1","3"],"b":"2","c":"","":"d","e":"%zz  +","ü":"🙂","__proto__":"x"}
console.log(qs.stringify({ a: 1, b: ['x', 'y z'], c: true, d: null, e: undefined, f: NaN, g: 10n, h: {}, 'ü&': '=&' })); // expect: a=1&b=x&b=y%20z&c=true&d=&e=&f=&g=10&h=&%C3%BC%26=%3D%26
console.log(qs.stringify({ a: 1, b: 2 }, ';', ':'), JSON.stringify(qs.parse('a:1;b:2', ';', ':')), Object.keys(qs.parse('a&b&c&d', null, null, { maxKeys: 2 })).join()); // expect: a:1;b:2 {"a":"1","b":"2"} a,b
console.log(qs.escape("a b&c=d!'()*~é"), qs.unescape('%41%zz%C3%A9+'), qs.stringify('x') === '', qs.stringify(null) === '', Object.getPrototypeOf(qs.parse('')) === null); // expect: a%20b%26c%3Dd!'()*~%C3%A9 A%zzé+ true true true
console.log(qs.stringify({ a: 'é' }, null, null, { encodeURIComponent: (s) => `<${s}>` }), JSON.stringify(qs.parse('a=b', null, null, { decodeURIComponent: (s) => s.toUpperCase() })), qs.encode === qs.stringify, qs.decode === qs.parse); // expect: <a>=<é> {"A":"B"} true true
console.log((() => { try { qs.escape('\ud800'); } catch (e) { return `${e.name} ${e.code}`; } })()); // expect: URIError ERR_INVALID_URI
console.log(Object.keys(qs.parse(Array.from({ length: 2000 }, (_, i) => `k${i}`).join('&'))).length); // expect: 1000
console.log(qs.unescapeBuffer('a%20b%zz').toString(), qs.unescapeBuffer('+', true).length); // expect: a b%zz 1
