// Numbers, BigInt and Math.
console.log(0.1 + 0.2, (0.1).toFixed(20), (255).toString(16), (1e21).toString()); // expect: 0.30000000000000004 0.10000000000000000555 ff 1e+21
console.log(Number('0x1f'), Number(''), Number('1 2'), parseInt('12px'), parseFloat('.5e1')); // expect: 31 0 NaN 12 5
console.log(1 / 0, -1 / 0, Object.is(-0, 0), Number.MAX_SAFE_INTEGER, Number.EPSILON > 0); // expect: Infinity -Infinity false 9007199254740991 true
console.log((25).toString(36), (123.456).toPrecision(4), (0.000001234).toExponential(2)); // expect: p 123.5 1.23e-6
console.log(2n ** 100n, -7n / 2n, BigInt.asUintN(8, 257n), typeof (1n + 2n)); // expect: 1267650600228229401496703205376n -3n 1n bigint
console.log(5n > 4, 2n == 2, 0n ? 'yes' : 'no', BigInt('0xff')); // expect: true true no 255n
try { 1n + 1; } catch (e) { console.log(e.name); } // expect: TypeError
console.log(Math.max(), Math.hypot(3, 4), Math.clz32(1), Math.fround(5.5), Math.sign(-3), Math.trunc(-4.7)); // expect: -Infinity 5 31 5.5 -1 -4
console.log(Math.imul(0xffffffff, 5), Math.cbrt(27), Math.log2(8), ~~-1.5, -1 >>> 28, 1 << 31); // expect: -5 3 3 -1 15 -2147483648
const r = Math.random();
console.log(r >= 0 && r < 1, Number.isInteger(5.0), Number.isSafeInteger(2 ** 53)); // expect: true true false
