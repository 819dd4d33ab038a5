// What a script holds of files counts as its memory, is given back when it lets go, and is its own to move and resize.
// flags: --module fs --root ROOT --mem-mb 32 --wall-ms 60000 --cpu-ms 60000
const fs = require('fs');
const MIB = 1 << 20;
fs.writeFileSync('big', new Uint8Array(2 * MIB).fill(7));
const read = () => fs.readFileSync('big', 'buffer');

let sum = 0;
for (let i = 0; i < 20; i++) sum += read()[i];
console.log('let go of', sum); // expect: let go of 140

for (let i = 0; i < 20; i++) { const cycle = { bytes: read() }; cycle.self = cycle; }
console.log('collected'); // expect: collected

const kept = [];
try { while (kept.length < 100) kept.push(read()); } catch (error) { console.log(String(error)); } // expect: InternalError: out of memory
console.log(kept.length > 10 && kept.length < 16, kept.every((bytes) => bytes.length === 2 * MIB && bytes[MIB] === 7)); // expect: true true
kept.length = 0;

const { buffer } = read();
const larger = buffer.transfer(4 * MIB);
const bytes = new Uint8Array(larger);
console.log(buffer.byteLength, bytes.length, bytes[2 * MIB - 1], bytes[2 * MIB]); // expect: 0 4194304 7 0
const smaller = larger.transfer(MIB);
console.log(larger.byteLength, smaller.byteLength, new Uint8Array(smaller)[MIB - 1]); // expect: 0 1048576 7
try { smaller.transfer(40 * MIB); } catch (error) { console.log(String(error)); } // expect: InternalError: out of memory
console.log(smaller.byteLength, structuredClone(smaller, { transfer: [smaller] }).byteLength, smaller.byteLength); // expect: 1048576 1048576 0

Promise.all(Array.from({ length: 4 }, () => fs.promises.readFile('big', 'buffer'))).then((all) => {
  console.log(all.map((one) => one.length).join()); // expect: 2097152,2097152,2097152,2097152
});
