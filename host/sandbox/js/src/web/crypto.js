// crypto.getRandomValues and crypto.randomUUID.
import { DOMException, Symbol, TypeError, Uint8Array, idl, natives, need, viewKind, viewParts } from './primordials.js';

const { fillRandom } = natives, illegal = Symbol('illegal');
const MAX = 65_536;
const integers = {
  __proto__: null, Int8Array: 1, Uint8Array: 1, Uint8ClampedArray: 1, Int16Array: 1, Uint16Array: 1, Int32Array: 1,
  Uint32Array: 1, BigInt64Array: 1, BigUint64Array: 1,
};
const hex = [];
for (let byte = 0; byte < 256; byte++) hex[byte] = (byte < 16 ? '0' : '') + byte.toString(16);
let check;

export class Crypto {
  #own = true;
  constructor(key) { if (key !== illegal) throw new TypeError('Illegal constructor'); }

  getRandomValues(array) {
    check(this);
    need(arguments.length, 1, 'getRandomValues');
    if (integers[viewKind(array)] !== 1) {
      throw new DOMException('getRandomValues: the argument is no array of integers', 'TypeMismatchError');
    }
    const { buffer, offset, length } = viewParts(array);
    if (length > MAX) {
      throw new DOMException(`getRandomValues: ${length} bytes are more than the ${MAX} of one call`, 'QuotaExceededError');
    }
    fillRandom(new Uint8Array(buffer, offset, length));
    return array;
  }

  randomUUID() {
    check(this);
    const bytes = new Uint8Array(16);
    fillRandom(bytes);
    bytes[6] = bytes[6] & 15 | 64;
    bytes[8] = bytes[8] & 63 | 128;
    let text = '';
    for (let i = 0; i < 16; i++) text += (i === 4 || i === 6 || i === 8 || i === 10 ? '-' : '') + hex[bytes[i]];
    return text;
  }

  static {
    check = (value) => { if (!(#own in value)) throw new TypeError('Illegal invocation'); };
  }
}
idl(Crypto, 'Crypto');
export const crypto = new Crypto(illegal);
