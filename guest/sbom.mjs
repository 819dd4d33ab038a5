// sbom.mjs TOOLCHAIN.txt: the CycloneDX list of what the guest is made of, from Cargo.lock and the compilers' versions.
// The same inputs give the same bytes: no dates, no serial numbers.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const guest = dirname(fileURLToPath(import.meta.url));
const read = (path) => readFileSync(join(guest, path), 'utf8');

// The packages of a Cargo.lock.
const packages = (lock) => lock.split('[[package]]').slice(1).map((block) => {
  const field = (name) => block.match(new RegExp(`^${name} = "(.*)"$`, 'm'))?.[1];
  return { name: field('name'), version: field('version'), checksum: field('checksum'), source: field('source') };
});

const crate = ({ name, version, checksum }, extra = {}) => ({
  type: 'library',
  'bom-ref': `pkg:cargo/${name}@${version}`,
  name,
  version,
  purl: `pkg:cargo/${name}@${version}`,
  ...(checksum ? { hashes: [{ alg: 'SHA-256', content: checksum }] } : {}),
  ...extra,
});

const other = (name, version, purl, scope) => ({ type: 'library', 'bom-ref': purl, name, version, purl, ...(scope ? { scope } : {}) });

const toolchain = new Map(readFileSync(process.argv[2], 'utf8').trim().split('\n').map((line) => line.split(' ')));
const header = read('.build/rquickjs-sys/quickjs/quickjs.h');
const number = (part) => header.match(new RegExp(`#define QJS_VERSION_${part} (\\d+)`))[1];
const engine = ['MAJOR', 'MINOR', 'PATCH'].map(number).join('.');
const rust = toolchain.get('rustc-web').match(/^[0-9.]+/)[0];
const sys = packages(read('engine-source/Cargo.lock')).find(({ name }) => name === 'rquickjs-sys');

const components = [
  other('quickjs-ng', engine, `pkg:github/quickjs-ng/quickjs@v${engine}`),
  other('rust-std', rust, `pkg:github/rust-lang/rust@${rust}`),
  other('wasi-libc', toolchain.get('wasi-libc'), `pkg:deb/debian/wasi-libc@${encodeURIComponent(toolchain.get('wasi-libc'))}?arch=source`),
  ...[...new Map(['Cargo.lock', 'typescript/Cargo.lock'].flatMap((lock) => packages(read(lock))).filter(({ source }) => source)
    .map((found) => [`${found.name}@${found.version}`, found])).values()].map((found) => crate(found)),
  crate(sys, { description: 'the sources of quickjs-ng and its bindings, with guest/patches applied' }),
  ...[...toolchain].filter(([name]) => name !== 'wasi-libc').map(([name, version]) => other(
    name, version, name === 'binaryen' ? `pkg:npm/${name}@${version}` : `pkg:deb/debian/${name}@${encodeURIComponent(version)}`, 'excluded')),
].sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1));

console.log(JSON.stringify({
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  metadata: { component: { type: 'library', 'bom-ref': 'guest', name: 'vm-system guest', version: packages(read('Cargo.lock')).find(({ name }) => name === 'guest').version } },
  components,
}, null, 2));
