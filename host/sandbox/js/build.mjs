// Bundles src/ into dist/. The bytes depend on the sources and package-lock.json alone.
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url)), require = createRequire(import.meta.url);
const at = (path) => join(here, path);

/** tr46's table: ranges that follow each other and say the same are one, and each mapping is told once. */
const packedTable = () => {
  const starts = [], statuses = [], mappings = [], texts = [];
  let last = 0, expected = 0, before;
  for (const [range, status, mapping] of require('tr46/lib/mappingTable.json')) {
    const [from, to] = Array.isArray(range) ? range : [range, range];
    if (from !== expected) throw new Error(`the table has a hole before ${from}`);
    expected = to + 1;
    let text = 0;
    if (mapping !== undefined) {
      if (mapping.includes('\0')) throw new Error('a mapping has the character that ends them');
      text = texts.indexOf(mapping) + 1 || texts.push(mapping);
    }
    const now = `${status} ${text}`;
    if (now === before) continue;
    before = now;
    starts.push(from - last);
    last = from;
    statuses.push(status);
    mappings.push(text);
  }
  const numbers = (list) => list.map((number) => (number === 0 ? '' : number.toString(36))).join(' ');
  return JSON.stringify([numbers(starts), statuses.join(''), numbers(mappings), `${texts.join('\0')}\0`]);
};

const url = {
  name: 'url',
  setup(build) {
    build.onLoad({ filter: /src\/web\/table\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace('PACKED_TABLE', packedTable),
    }));
    build.onResolve({ filter: /^@exodus\/bytes\/encoding\.js$/ }, () => ({ path: 'nothing', namespace: 'nothing' }));
    build.onLoad({ filter: /.*/, namespace: 'nothing' }, () => ({ contents: '' }));
    build.onResolve({ filter: /^@exodus\/bytes\/whatwg\.js$/ }, () => ({ path: at('src/web/percent.js') }));
    build.onLoad({ filter: /tr46\/index\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const found = /function findStatus\(val\) \{[^]*?\n\}\n/.exec(text);
      const table = 'const mappingTable = require("./lib/mappingTable.json");';
      if (found === null || !text.includes(table)) throw new Error('tr46 is not what it was');
      const ours = `const { findStatus } = require(${JSON.stringify(at('src/web/table.js'))});`;
      return { contents: text.replace(found[0], '').replace(table, ours) };
    });
    // There are no shared buffers here.
    build.onLoad({ filter: /(webidl-conversions\/lib\/index|whatwg-url\/lib\/utils)\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('SharedArrayBuffer.prototype', 'ArrayBuffer.prototype')
        .replace('"growable"', '"resizable"'),
    }));
  },
};

const shared = {
  absWorkingDir: here,
  bundle: true,
  write: false,
  metafile: true,
  charset: 'utf8',
  target: 'es2023',
  legalComments: 'none',
  // Names stay, so that stacks can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 400,
};

const used = new Map();
const bundle = async (options) => {
  const { outputFiles, metafile } = await build({ ...shared, ...options });
  for (const path of Object.keys(metafile.outputs).flatMap((out) => Object.keys(metafile.outputs[out].inputs))) {
    const found = /^(?:.*:)?((?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(path);
    if (found !== null) used.set(found[1], found[2]);
  }
  // A module's function is let go of once it has run: its source and constants would stay in every image.
  const kept = 'mod||(0,cb[__getOwnPropNames(cb)[0]])((mod={exports:{}}).exports,mod),mod.exports';
  const released = 'mod||(mod={exports:{}},cb=cb[__getOwnPropNames(cb)[0]],[cb,cb=0][0](mod.exports,mod)),mod.exports';
  const text = outputFiles[0].text;
  if (text.includes('__commonJS') && !text.includes(kept)) throw new Error('esbuild is not what it was');
  return text.replace(kept, released);
};

rmSync(at('dist'), { recursive: true, force: true });
mkdirSync(at('dist'), { recursive: true });
const web = await bundle({ entryPoints: ['src/web/index.js'], format: 'iife', plugins: [url] });
writeFileSync(at('dist/web.js'), web);

// What is in dist/ of others, and on which terms.
let notice = 'The files in this directory contain the following packages.\n';
for (const [folder, name] of [...used].sort()) {
  const { version, license } = JSON.parse(readFileSync(at(`${folder}/package.json`)));
  let terms;
  for (const file of ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'LICENSE-MIT.txt', 'License', 'license']) {
    try { terms ??= readFileSync(at(`${folder}/${file}`), 'utf8'); } catch { /* another name, then */ }
  }
  if (terms === undefined) throw new Error(`${name} has no licence file`);
  notice += `\n${'='.repeat(80)}\n${name} ${version} (${license})\n\n${terms.trim()}\n`;
}
writeFileSync(at('dist/LICENSES'), notice);
