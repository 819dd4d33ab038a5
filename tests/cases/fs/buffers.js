// not-node: without an encoding a file is text here
// flags: --module fs --root ROOT
const fs = require('fs');
fs.writeFileSync('a', Uint8Array.of(0xff, 1, 2));
const bytes = fs.readFileSync('a', null);
console.log(bytes.constructor.name, bytes.toString('hex'), bytes.equals(await fs.promises.readFile('a', 'buffer')), typeof fs.readFileSync('a')); // expect: Buffer ff0102 true string
for await (const part of fs.createReadStream('a')) console.log(part.constructor.name, part.toString('base64')); // expect: Buffer /wEC
const handle = await fs.promises.open('a');
const { buffer, bytesRead } = await handle.read();
console.log(buffer.constructor.name, bytesRead, buffer.subarray(0, bytesRead).toString('latin1') === '\xff\x01\x02', (await handle.readFile(null)).length); // expect: Buffer 3 true 0
await handle.close();
fs.writeFileSync('b', bytes.subarray(1));
console.log(fs.readFileSync('b', { encoding: null }).readUInt16BE(0)); // expect: 258
