// flags: --module string_decoder --module buffer
const { StringDecoder } = require('string_decoder'), { Buffer } = require('buffer');
const d = new StringDecoder('utf8');
console.log([0xe2, 0x82, 0xac, 0x41].map((x) => d.write(Buffer.from([x]))).join('|'), d.end() === '', d.write(Buffer.from([0xe2])) === '', d.end()); // expect: ||€|A true true �
const b = new StringDecoder('base64');
console.log(b.write(Buffer.from('a')), b.write(Buffer.from('bcd')), b.end(Buffer.from('e'))); // expect:  YWJj ZGU=
const u = new StringDecoder('utf16le');
console.log(u.write(Buffer.from([0x61, 0])), u.write(Buffer.from([0x3d])) === '', u.write(Buffer.from([0xd8, 0x4d])) === '', u.end(Buffer.from([0xdc]))); // expect: a true false �
console.log(new StringDecoder('hex').write(Buffer.from('hi')), new StringDecoder().encoding, (() => { try { new StringDecoder('nope'); } catch (e) { return e.name; } })()); // expect: 6869 utf8 TypeError
