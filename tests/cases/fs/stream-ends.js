// Streams that fail give their files back, and a long line is not read again for each of its pieces.
// flags: --module fs --root ROOT
const fs = require('fs'), { open } = require('fs/promises');
fs.writeFileSync('in.txt', 'x'.repeat(300000));
fs.writeFileSync('read-only.txt', '');
const failed = (stream) => new Promise((resolve) => { let told; stream.on('error', (e) => { told = e.code; }).on('close', () => resolve(told)); });
const codes = new Set();
for (let i = 0; i < 70; i++) {
  // A file that was opened for reading takes no writes.
  const into = fs.createWriteStream('read-only.txt', { flags: 'r' });
  const ended = failed(into);
  if (i % 2 === 0) fs.createReadStream('in.txt').pipe(into);
  else into.write('x');
  codes.add(await ended);
}
console.log([...codes].join()); // expect: EBADF
const file = await open('in.txt');
console.log(file.fd > 0); // expect: true
await file.close();
fs.writeFileSync('lines.txt', 'a\r\n' + 'y'.repeat(4000000) + '\r\rb\n\u2028c\r');
const lengths = [];
for await (const line of (await open('lines.txt')).readLines()) lengths.push(line.length);
console.log(lengths.join()); // expect: 1,4000000,0,1,0,1
for (const [size, text] of [[1, 'a\r\nb\rc\n\nd'], [2, 'a\r\nb\rc\n\nd\r'], [3, '\r\n\r\n'], [1, '']]) {
  fs.writeFileSync('few.txt', text);
  const lines = [];
  for await (const line of (await open('few.txt')).readLines({ highWaterMark: size })) lines.push(line);
  console.log(JSON.stringify(lines));
}
// expect: ["a","b","c","","d"]
// expect: ["a","b","c","","d"]
// expect: ["",""]
// expect: []
