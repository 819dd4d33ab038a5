// Shows TypeScript's compiler what sessions are told of: each file of target/tmp/declarations (written by the test
// `typescript::declarations_for_the_compiler`) by itself, and types/usage.ts with the one of all modules.
import ts from 'typescript';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url)), folder = join(here, '../../../target/tmp/declarations');
const options = {
  strict: true, noEmit: true, lib: ['lib.es2024.d.ts'], types: [], target: ts.ScriptTarget.ES2024, module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler, noUncheckedIndexedAccess: true,
};
const host = ts.createCompilerHost(options);
// The language's own are read once.
const read = host.getSourceFile, sources = new Map();
host.getSourceFile = (path, ...rest) => {
  if (!sources.has(path)) sources.set(path, read(path, ...rest));
  return sources.get(path);
};
const files = readdirSync(folder).map((name) => [join(folder, name)]);
if (files.length < 3) throw new Error(`${folder} has no declarations`);
files.push([join(folder, 'all.d.ts'), join(here, 'types/usage.ts')]);
const wrong = new Set();
for (const names of files) {
  const found = ts.getPreEmitDiagnostics(ts.createProgram(names, options, host));
  if (found.length > 0) wrong.add(ts.formatDiagnostics(found, { ...host, getCurrentDirectory: () => join(here, '../../..') }));
}
for (const text of wrong) console.log(text);
console.log(`${files.length} programs checked with TypeScript ${ts.version}`);
process.exitCode = wrong.size === 0 ? 0 : 1;
