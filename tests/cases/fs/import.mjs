// Names of the module and of its part are imported as in Node.
// flags: --module fs --root ROOT
import fs, { readFileSync, promises } from 'fs';
import { readFile, writeFile } from 'node:fs/promises';
await writeFile('a', 'text');
console.log(await readFile('a'), readFileSync('a'), readFile === promises.readFile, fs.promises === promises); // expect: text text true true
