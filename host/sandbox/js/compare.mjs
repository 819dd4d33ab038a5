// Runs cases of tests/cases with node and compares what it says with what they expect:
//
//   node compare.mjs [--write] CASE...
//
// With --write a case's expectations become node's answers, one for each line that has a `console.log(`. A case that says
// `// not-node: why` expects something else than Node's answers, and is left alone. What a case says of files is so for node, too:
// it runs in a directory that has them.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const write = process.argv[2] === '--write';
const HEAD = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); ";
const folder = mkdtempSync(join(tmpdir(), 'compare-'));
let wrong = 0;
for (const path of process.argv.slice(write ? 3 : 2)) {
  const source = readFileSync(path, 'utf8');
  if (source.includes('// not-node:')) continue;
  const copy = join(folder, 'case.mjs');
  writeFileSync(copy, HEAD + source);
  const cwd = mkdtempSync(join(folder, 'root-'));
  for (const [, name, text] of source.matchAll(/\/\/ file: (\S+) ?(.*)$/gm)) {
    mkdirSync(dirname(join(cwd, name)), { recursive: true });
    writeFileSync(join(cwd, name), text);
  }
  for (const [, name, target] of source.matchAll(/\/\/ link: (\S+) (.*)$/gm)) symlinkSync(target, join(cwd, name));
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', copy], { cwd, encoding: 'utf8', env: { TZ: 'UTC' } });
  const told = stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n');
  if (stderr !== '') console.log(`${path}: ${stderr}`);
  if (write) {
    let next = 0;
    const lines = source.replace(/ ?\/\/ expect:.*$/gm, '').split('\n')
      .map((line) => (line.includes('console.log(') ? `${line} // expect: ${told[next++]}` : line));
    if (next !== told.length) console.log(`${path}: ${next} calls, ${told.length} lines`, wrong++);
    else writeFileSync(path, lines.join('\n'));
    continue;
  }
  const expected = [...source.matchAll(/\/\/ expect: ?(.*)$/gm)].map((found) => found[1]);
  for (let at = 0; at < Math.max(told.length, expected.length); at++) {
    if (told[at] === expected[at]) continue;
    console.log(`${path}: line ${at + 1}\n  node     ${told[at]}\n  expected ${expected[at]}`);
    wrong++;
  }
}
rmSync(folder, { recursive: true });
process.exitCode = wrong === 0 ? 0 : 1;
