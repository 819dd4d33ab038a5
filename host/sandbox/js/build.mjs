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
    build.onLoad({ filter: /whatwg-url\/lib\/URL-impl\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8'), thrown = /throw new TypeError\((`Invalid (base )?URL: \$\{(url|base)\}`)\);/g;
      if (text.match(thrown)?.length !== 2) throw new Error('whatwg-url is not what it was');
      const bad = "const bad = (text, input) => { const e = new TypeError(text); e.code = 'ERR_INVALID_URL'; e.input = input; return e; };";
      return { contents: `${text.replace(thrown, 'throw bad($1, url);')}\n${bad}` };
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

/** `assert` and its kin ask for polyfills of what every engine has by now, and for Node's modules by browserify's names. */
const stubs = {
  'is-nan': 'module.exports = Number.isNaN;',
  'object-is': 'module.exports = Object.is;',
  'object-is/polyfill': 'module.exports = () => Object.is;',
  'object.assign/polyfill': 'module.exports = () => Object.assign;',
  'call-bind/callBound': 'module.exports = () => Function.prototype.call.bind(RegExp.prototype.test);',
  'safe-buffer': "export * from 'node:buffer';",
};
const ownUtil = "export { inspect, format } from './src/node/inspect.js'; export { default as types } from './src/node/types.js';";
const otherUtil = "export * from 'node:util';";
/** A package's source with pieces of it replaced, all of which have to be there. */
const replaced = (text, name, pieces) => {
  for (const [from, to] of Object.entries(pieces)) {
    if (!text.includes(from)) throw new Error(`${name} is not what it was`);
    text = text.replaceAll(from, () => to);
  }
  return text;
};
const browserify = (name) => ({
  name: 'browserify',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true }));
    build.onResolve({ filter: /^util\/$/ }, () => ({ path: 'util', namespace: 'stub' }));
    build.onLoad({ filter: /^util$/, namespace: 'stub' }, () => ({ contents: name === 'util' ? ownUtil : otherUtil, resolveDir: here }));
    // One inspect for all of them.
    if (name !== 'util') build.onResolve({ filter: /^\.\/inspect\.js$/ }, () => ({ path: 'node:util', external: true }));
    build.onResolve({ filter: /.*/ }, ({ path }) => (path in stubs ? { path, namespace: 'stub' } : undefined));
    build.onLoad({ filter: /.*/, namespace: 'stub' }, ({ path }) => ({ contents: stubs[path] }));
    build.onLoad({ filter: /string_decoder\/lib\/string_decoder\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8'), thrown = "throw new Error('Unknown encoding: ' + enc);";
      if (!text.includes(thrown)) throw new Error('string_decoder is not what it was');
      const ours = `require(${JSON.stringify(at('src/node/errors.js'))})`;
      return { contents: text.replace(thrown, `throw ${ours}.coded(TypeError, 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: ' + enc);`) };
    });
    build.onLoad({ filter: /path-browserify\/index\.js$/ }, ({ path }) => {
      const ours = `require(${JSON.stringify(at('src/node/errors.js'))})`;
      return { contents: replaced(readFileSync(path, 'utf8'), 'path-browserify', {
        "throw new TypeError('Path must be a string. Received ' + JSON.stringify(path));":
          `throw ${ours}.wrongType('path', 'of type string', path);`,
        "throw new TypeError('\"ext\" argument must be a string');": `throw ${ours}.wrongType('suffix', 'of type string', ext);`,
        "throw new TypeError('The \"pathObject\" argument must be of type Object. Received type ' + typeof pathObject);":
          `throw ${ours}.wrongType('pathObject', 'of type object', pathObject);`,
        "(pathObject.ext || '')": "(pathObject.ext ? (pathObject.ext[0] === '.' ? '' : '.') + pathObject.ext : '')",
      }) };
    });
    // The engine knows what the extracted inspect can't ask for; there are no Atomics.
    build.onLoad({ filter: /node-inspect-extracted\/dist\/inspect\.js$/ }, ({ path }) => {
      let text = readFileSync(path, 'utf8');
      for (const [from, to] of Object.entries({
        '["Atomics","JSON"': '["JSON"',
        'getPromiseDetails:()=>[g,void 0]': `getPromiseDetails: (promise) => {
          if (natives === undefined) return [g, undefined];
          const { state, result } = natives.promiseState(promise);
          return [state === 0 ? g : state === 2 ? h : state, result];
        }`,
        // What is left of an iterator the engine doesn't tell: as of a WeakSet, and not as if nothing were left.
        'function _r(t,e,n,r){': 'function _r(t,e,n,r){return xr(e);',
        'getProxyDetails:y.getProxyDetails': `getProxyDetails: (proxy, full = true) => {
          if (natives?.kindOf(proxy) !== 'Proxy') return undefined;
          const target = natives.proxyTarget(proxy);
          return full ? [target, null] : target;
        }`,
        // The console, too, shows what a proxy stands for, without a word of the proxy.
        'c=je(e=c,!1),s+=1': 'c=je(e=c,!1)',
      })) {
        if (!text.includes(from)) throw new Error('node-inspect-extracted is not what it was');
        text = text.replace(from, () => to);
      }
      return { contents: `const natives = globalThis.__web;\n${text}` };
    });
    build.onLoad({ filter: /node_modules\/assert\/build\/(assert|internal\/errors)\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8'), mismatch = `require(${JSON.stringify(at('src/node/assert_mismatch.js'))}).mismatch`;
      return { contents: path.endsWith('errors.js') ? replaced(text, 'assert', {
        "'The \"%s\" argument is ambiguous. %s'": '(name, reason) => `The "${name}" argument is ambiguous. ${reason}`',
      }) : replaced(text, 'assert', {
        'function expectedException(actual, expected, msg, fn) {': 'function expectedException(actual, expected, msg, fn, seen) {',
        'return expected.call({}, actual) === true;':
          'var result = expected.call({}, actual); if (seen) seen.result = result; return result === true;',
        'if (error && !expectedException(actual, error, message, stackStartFn)) {\n    throw actual;':
          `var seen = {}; if (error && !expectedException(actual, error, message, stackStartFn, seen)) {
            throw ${mismatch}(AssertionError, actual, error, message, stackStartFn.name, seen.result);`,
        // Without its source, as in Node's own prompt.
        'var generatedMessage = false;\n    if (argLen === 0)': 'var generatedMessage = message == null;\n    if (argLen === 0)',
      }) };
    });
    build.onLoad({ filter: /@pkgjs\/parseargs\/index\.js$/ }, ({ path }) => ({
      contents: replaced(readFileSync(path, 'utf8'), 'parseargs', {
        '  // Validate input configuration.\n': `  const allowNegative = objectGetOwn(config, 'allowNegative') ?? false;
          if (typeof allowNegative !== 'boolean') {
            throw require(${JSON.stringify(at('src/node/errors.js'))}).wrongType('allowNegative', 'of type boolean', allowNegative);
          }
          const negated = (token) => {
            const name = token.name.slice(3), known = optionsGetOwn(options, name, 'type') === 'boolean';
            if (!allowNegative || !token.name.startsWith('no-') || (strict && !known)) return undefined;
            return name;
          };\n`,
        '        checkOptionUsage(parseConfig, token);\n': `        const name = negated(token);
          checkOptionUsage(parseConfig, name === undefined ? token : { ...token, name });\n`,
        '      storeOption(token.name, token.value, options, result.values);\n': `      const negative = token.value === undefined ? negated(token) : undefined;
          token.name = negative ?? token.name;
          storeOption(token.name, negative === undefined ? token.value : false, options, result.values);\n`,
      }),
    }));
    build.onLoad({ filter: /unenv\/dist\/runtime\/node\/url\.mjs$/ }, ({ path }) => ({
      contents: replaced(readFileSync(path, 'utf8'), 'unenv', { 'console.warn(': '(() => {})(' }),
    }));
    // Node has another name for what Node's Base64 of URLs is.
    build.onLoad({ filter: /node_modules\/buffer\/index\.js$/ }, ({ path }) => {
      let text = readFileSync(path, 'utf8');
      const slice = "      case 'base64':\n        return base64Slice(this, start, end)\n";
      if (!text.includes(slice)) throw new Error('buffer is not what it was');
      const url = "case 'base64url': return base64Slice(this, start, end).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '')\n";
      text = text.replace(slice, () => slice.replace('case', 'CASE') + url).replaceAll("case 'base64':", "case 'base64': case 'base64url':")
        .replace("CASE 'base64'", "case 'base64'");
      return { contents: text };
    });
  },
});

rmSync(at('dist'), { recursive: true, force: true });
mkdirSync(at('dist/node/timers'), { recursive: true });
mkdirSync(at('dist/node/assert'), { recursive: true });
// ASCII: the engine's texts then have one byte for a character, and an image's heap less to grow by.
const web = await bundle({ entryPoints: ['src/web/index.js'], format: 'iife', charset: 'ascii', plugins: [url] });
writeFileSync(at('dist/web.js'), web);

const modules = {
  assert: 'assert', 'assert/strict': 'assert_strict', buffer: 'buffer', events: 'events', path: 'path', querystring: 'querystring',
  string_decoder: 'string_decoder', timers: 'timers', 'timers/promises': 'timers_promises', url: 'url', util: 'util',
};
for (const [name, source] of Object.entries(modules)) {
  const text = await bundle({
    entryPoints: [`src/node/${source}.js`],
    format: 'esm',
    plugins: [browserify(name)],
    // assert goes by the names of its functions.
    keepNames: name === 'assert',
    // A session has no process; its only directory is the root.
    define: { process: '__process', global: 'globalThis', ...(name === 'querystring' ? { 'globalThis.Buffer': '__Buffer' } : {}) },
    inject: [at('src/node/process.js'), ...(name === 'querystring' ? [at('src/node/inject_buffer.js')] : [])],
  });
  writeFileSync(at(`dist/node/${name}.js`), text);
}

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
