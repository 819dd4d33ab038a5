// flags: --module buffer
// Buffers as Node shows them, 50 bytes at most.
console.log(Buffer.from('hi'), [Buffer.alloc(0)], { at: { any: { depth: { is: Buffer.from([0, 255]) } } } }); // expect: <Buffer 68 69> [ <Buffer > ] { at: { any: { depth: [Object] } } }
console.log([[[Buffer.from([0, 255])]]]); // expect: [ [ [ <Buffer 00 ff> ] ] ]
console.log(Buffer.alloc(51, 1)); // expect: <Buffer 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 ... 1 more byte>
console.log(Buffer.alloc(60).toString('hex').length, `${Buffer.alloc(60)}`.length); // expect: 120 60
console.log(Object.assign(Buffer.from('hi'), { a: 1, 'x-y': 'z' })); // expect: <Buffer 68 69, a: 1, 'x-y': 'z'>
const own = Buffer.from('o'); own.self = own;
console.log(own); // expect: <Buffer 6f, self: [Circular *1]>
let chain = Buffer.from('c');
for (let i = 0; i < 50_000; i++) { const next = Buffer.from('n'); next.of = chain; chain = next; }
console.log(chain); // expect: <Buffer 6e, of: <Buffer 6e, of: <Buffer 6e, of: <Buffer 6e>>>>
console.log(new Uint8Array(2), new Uint8Array(2).buffer); // expect: Uint8Array(2) [ 0, 0 ] ArrayBuffer { [Uint8Contents]: <00 00>, byteLength: 2 }
