// flags: --module buffer
const { Buffer, constants, isUtf8, isAscii, kMaxLength } = require('buffer');
const b = Buffer.from('héllo wörld, this is longer');
console.log(b.length, b.toString(), b.toString('hex'), b.toString('base64'), b.toString('base64url', 0, 5)); // expect: 29 héllo wörld, this is longer 68c3a96c6c6f2077c3b6726c642c2074686973206973206c6f6e676572 aMOpbGxvIHfDtnJsZCwgdGhpcyBpcyBsb25nZXI= aMOpbGw
console.log(b.toString('latin1', 0, 4), b.toString('ascii', 0, 4), b.toString('utf16le', 0, 4).length, b.slice(1, 3).toString('utf8'), b.toString('utf8', 3, 2) === '', b.toString('utf8', -5, 2)); // expect: hÃ©l hC)l 2 é true h�
console.log(Buffer.from('aGk_-w', 'base64').toString('hex'), Buffer.from('aGk/+w==', 'base64url').toString('hex'), Buffer.from('6869zz', 'hex').toString(), Buffer.from('hi', 'utf16le').toString('hex'), Buffer.from('ÿ', 'latin1')[0]); // expect: 68693ffb 68693ffb hi 68006900 255
console.log(Buffer.concat([Buffer.from('a'), new Uint8Array([98]), Buffer.from('c')]).toString(), Buffer.concat([Buffer.from('abc')], 2).toString(), Buffer.alloc(3, 'ab').toString(), Buffer.alloc(2).toString('hex'), Buffer.allocUnsafe(4).length); // expect: abc ab aba 0000 4
console.log(Buffer.isBuffer(b), Buffer.isBuffer(new Uint8Array(1)), b instanceof Uint8Array, Buffer.isEncoding('UTF-8'), Buffer.isEncoding('base64url'), Buffer.isEncoding('nope'), Buffer.byteLength('é'), Buffer.byteLength('aGk=', 'base64')); // expect: true false true true true false 2 2
const w = Buffer.alloc(16);
w.writeUInt32BE(0xdeadbeef, 0); w.writeInt16LE(-2, 4); w.writeDoubleBE(1.5, 8); w.writeUInt8(7, 6);
console.log(w.toString('hex'), w.readUInt32BE(0), w.readInt16LE(4), w.readDoubleBE(8), w.readUInt8(6), w.readUIntBE(0, 3), w.readBigUInt64LE(0)); // expect: deadbeeffeff07003ff8000000000000 3735928559 -2 1.5 7 14593470 2251795246001630n
console.log(b.indexOf('w'), b.indexOf(Buffer.from('lo')), b.includes('zzz'), b.lastIndexOf('l'), b.equals(Buffer.from(b)), Buffer.compare(Buffer.from('a'), Buffer.from('b')), b.subarray(0, 1) instanceof Buffer); // expect: 7 4 false 23 true -1 true
console.log(JSON.stringify(Buffer.from('hi')), Buffer.from(JSON.parse(JSON.stringify(Buffer.from('hi')))).toString(), Buffer.from([1, 256, -1]).toString('hex'), Buffer.from(new Uint16Array([1, 2]).buffer).toString('hex')); // expect: {"type":"Buffer","data":[104,105]} hi 0100ff 01000200
const shared = new Uint8Array([1, 2, 3]), view = Buffer.from(shared.buffer, 1, 2);
view[0] = 9;
console.log(shared.join(), w.fill('é').toString('hex'), w.write('hé', 1), w.toString('utf8', 0, 4).length, w.copy(shared, 0, 0, 2), shared.join()); // expect: 1,9,3 c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9 3 3 2 195,104,3
console.log(Buffer.from('\ud800x').toString('hex'), Buffer.from([0xff, 0x41]).toString(), Buffer.from([0xef, 0xbb, 0xbf, 0x41]).toString().length, b.swap16 === undefined, Buffer.from('abcd').swap16().toString(), Buffer.from('ab').reverse().toString()); // expect: efbfbd78 �A 2 false badc ba
console.log(isUtf8(Buffer.from('é')), isUtf8(Buffer.from([0xff])), isAscii(Buffer.from('a')), constants.MAX_LENGTH === kMaxLength, typeof atob, Buffer.poolSize); // expect: true false true true function 8192
const wrong = [() => Buffer.from(1), () => Buffer.from(null), () => Buffer.alloc(-1), () => Buffer.alloc('1'), () => b.readUInt8(999), () => b.writeUInt8(256, 0), () => Buffer.concat(1), () => Buffer.from('x', 'nope'), () => b.readUInt32BE(b.length - 2), () => b.toString('nope')];
console.log(wrong.map((f) => { try { f(); return 'fine'; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,RangeError,TypeError,RangeError,RangeError,TypeError,TypeError,RangeError,TypeError
console.log([...Buffer.from('ab').entries()].join(';'), Buffer.from('abc').at(-1), Buffer.from('a').map((x) => x + 1) instanceof Buffer, Object.keys(Buffer.from('ab')).join()); // expect: 0,97;1,98 99 true 0,1
const { SlowBuffer, transcode } = require('buffer');
console.log(SlowBuffer(3).length, transcode(Buffer.from('é'), 'utf8', 'latin1').toString('hex'), transcode(Buffer.from('é'), 'utf8', 'utf16le').toString('hex')); // expect: 3 e9 e900
