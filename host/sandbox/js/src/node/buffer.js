// node:buffer, on feross's Buffer; what the engine does natively is not done in JavaScript.
import feross from 'buffer';
import { numbers } from './buffer_numbers.js';
import { compareBytes, needBytes, searching } from './buffer_search.js';
import { coded, needInteger, outOfRange, quoted, unknownEncoding, wrongType, wrongValue } from './errors.js';

const { Blob, File, TextDecoder, TextEncoder, Uint8Array, atob, btoa } = globalThis;
const { Buffer, SlowBuffer, kMaxLength } = feross, { fromCharCode } = String;
// The bundler renames what shares its name with a global.
Object.defineProperty(Buffer, 'name', { value: 'Buffer', configurable: true });
const INSPECT_MAX_BYTES = 50;
const kStringMaxLength = 2 ** 30 - 2;
const constants = { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: kStringMaxLength };

const encoder = new TextEncoder();
const { toString: toStringSlowly, write: writeSlowly } = Buffer.prototype;
const { from: fromSlowly, byteLength: byteLengthSlowly } = Buffer;
const isUtf8Name = (encoding) => encoding === undefined || encoding === 'utf8' || encoding === 'utf-8';
const { toBase64, toHex } = Uint8Array.prototype;
const natively = {
  __proto__: null,
  utf8: (bytes) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
  base64: toBase64 && ((bytes) => toBase64.call(bytes)),
  base64url: toBase64 && ((bytes) => toBase64.call(bytes, { alphabet: 'base64url', omitPadding: true })),
  hex: toHex && ((bytes) => toHex.call(bytes)),
};
natively['utf-8'] = natively.utf8;
/** Shorter ones are faster in JavaScript than a call is. */
const SHORT = 16;

const clamp = (value, fallback, length) => {
  const n = Math.trunc(Number(value ?? fallback)) || 0;
  return n < 0 ? 0 : n > length ? length : n;
};
const isKnown = Buffer.isEncoding;
const needEncoding = (encoding) => {
  if (!isKnown(encoding)) throw unknownEncoding(encoding);
};
const WIDE = /^(?:ucs-?2|utf-?16le)$/i;
/** Text of ASCII; undefined of anything else. */
const plain = (bytes, from, to) => {
  let text = '';
  for (let i = from; i < to; i++) {
    const byte = bytes[i];
    if (byte > 127) return undefined;
    text += fromCharCode(byte);
  }
  return text;
};
Object.assign(Buffer.prototype, numbers, searching((text, encoding) => {
  if (encoding !== undefined && encoding !== null) needEncoding(encoding);
  return Buffer.from(text, encoding);
}, (encoding) => WIDE.test(encoding)), {
  toString(encoding = undefined, start = undefined, end = undefined) {
    const { length } = this, name = encoding === undefined ? 'utf8' : String(encoding).toLowerCase(), native = natively[name];
    const from = clamp(start, 0, length), to = end === undefined ? length : clamp(end, 0, length);
    if (to <= from) return '';
    if (native === undefined) needEncoding(encoding);
    // Of characters that are not whole the slow way makes more of U+FFFD than Node does.
    else if (to - from >= SHORT) return native(this.subarray(from, to));
    else if (native === natively.utf8) return plain(this, from, to) ?? native(this.subarray(from, to));
    return toStringSlowly.call(this, name, from, to);
  },
  write(string, offset = undefined, length = undefined, encoding = undefined) {
    if (typeof string !== 'string') throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'argument must be a string');
    const { length: all } = this;
    if (length === undefined && typeof offset === 'string') [encoding, offset] = [offset, undefined];
    if (offset === undefined) offset = 0;
    else needInteger(offset, 'offset', 0, all);
    if (typeof length === 'string') [encoding, length] = [length, undefined];
    if (length !== undefined) needInteger(length, 'length', 0, all);
    const room = Math.min(length ?? all, all - offset);
    if (encoding && !isUtf8Name(encoding)) {
      needEncoding(encoding);
      if (!isUtf8Name(String(encoding).toLowerCase())) return writeSlowly.call(this, string, offset, room, encoding);
    }
    return encoder.encodeInto(string, new Uint8Array(this.buffer, this.byteOffset + offset, room)).written;
  },
  fill(value, offset = undefined, end = undefined, encoding = undefined) {
    const { length } = this, text = typeof value === 'string';
    if (text && typeof offset === 'string') [encoding, offset] = [offset, undefined];
    else if (text && typeof end === 'string') [encoding, end] = [end, undefined];
    if (text && encoding !== undefined) {
      if (typeof encoding !== 'string') throw wrongType('encoding', 'of type string', encoding);
      needEncoding(encoding);
    }
    if (offset !== undefined) needInteger(offset, 'offset', 0, kMaxLength);
    if (end !== undefined && offset !== undefined) needInteger(end, 'end', 0, length);
    const from = offset ?? 0, to = offset === undefined ? length : end ?? length;
    if (from >= to) return this;
    const bytes = text ? Buffer.from(value, encoding) : ArrayBuffer.isView(value) ? asBytes(value) : undefined;
    if (bytes === undefined || value === '') return fillByte.call(this, value, from, to);
    if (bytes.length === 0) throw wrongValue('value', text ? quoted(value) : `<${value.constructor.name} >`);
    this.set(bytes.subarray(0, to - from), from);
    for (let done = bytes.length; from + done < to; done *= 2) this.copyWithin(from + done, from, Math.min(from + done, to - done));
    return this;
  },
});
const fillByte = Uint8Array.prototype.fill;
for (const name of ['ascii', 'base64', 'base64url', 'hex', 'latin1', 'ucs2', 'utf8']) {
  Buffer.prototype[`${name}Slice`] = function (start, end) { return this.toString(name, start, end); };
  Buffer.prototype[`${name}Write`] = function (string, offset = 0, length = undefined) { return this.write(string, offset, length, name); };
}
for (const bits of [16, 32, 64]) {
  const swap = Buffer.prototype[`swap${bits}`];
  Buffer.prototype[`swap${bits}`] = function () {
    if (this.length % (bits / 8) === 0) return swap.call(this);
    throw coded(RangeError, 'ERR_INVALID_BUFFER_SIZE', `Buffer size must be a multiple of ${bits}-bits`);
  };
}
/** Into any array of bytes. */
Buffer.prototype.copy = function (target, targetStart = 0, start = 0, end = this.length) {
  if (!(target instanceof Uint8Array)) throw wrongType('target', 'an instance of Buffer or Uint8Array', target);
  const at = toOffset('targetStart', targetStart), from = toOffset('sourceStart', start, this.length), to = toOffset('sourceEnd', end);
  if (from > this.length) throw outOfRange('sourceStart', `>= 0 && <= ${this.length}`, from);
  const part = this.subarray(from, Math.min(to, from + Math.max(target.length - at, 0)));
  if (at < target.length && part.length > 0) target.set(part, at);
  return at < target.length ? part.length : 0;
};
const toOffset = (name, value, most = undefined) => {
  const offset = Math.trunc(Number(value)) || 0;
  if (offset < 0) throw outOfRange(name, most === undefined ? '>= 0' : `>= 0 && <= ${most}`, offset);
  return offset;
};
Buffer.prototype.toLocaleString = Buffer.prototype.toString;
const asBytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

const own = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);
const refused = (value) =>
  wrongType('first argument', 'of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object', value);
const outside = (name) => coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', `"${name}" is outside of buffer bounds`);
const ofMemory = (memory, byteOffset, length) => {
  const offset = +byteOffset || 0, most = memory.byteLength - offset;
  if (most < 0) throw outside('offset');
  const size = length === undefined ? most : Math.max(+length || 0, 0);
  if (size > most) throw outside('length');
  return own(new Uint8Array(memory, offset, size));
};
Buffer.from = function from(value, encodingOrOffset, length) {
  if (typeof value === 'string') {
    if (isUtf8Name(encodingOrOffset)) return own(encoder.encode(value));
    if (typeof encodingOrOffset === 'string' && encodingOrOffset !== '') needEncoding(encodingOrOffset);
    return fromSlowly(value, encodingOrOffset);
  }
  if (typeof value !== 'object' || value === null) throw refused(value);
  if (value instanceof ArrayBuffer) return ofMemory(value, encodingOrOffset, length);
  try {
    return fromSlowly(value, encodingOrOffset, length);
  } catch (error) {
    throw error instanceof TypeError && error.code === undefined && error.message.startsWith('The first argument') ? refused(value) : error;
  }
};
const needSize = (size) => {
  if (typeof size !== 'number') throw wrongType('size', 'of type number', size);
  if (!(size >= 0 && size <= kMaxLength)) throw outOfRange('size', `>= 0 && <= ${kMaxLength}`, size);
};
Buffer.alloc = function alloc(size, fill, encoding) {
  needSize(size);
  const made = own(new Uint8Array(size));
  if (fill === undefined || fill === 0 || size <= 0) return made;
  if (encoding !== undefined && typeof encoding !== 'string') throw wrongType('encoding', 'of type string', encoding);
  return encoding === undefined ? made.fill(fill) : made.fill(fill, encoding);
};
Buffer.allocUnsafe = function allocUnsafe(size) {
  needSize(size);
  return own(new Uint8Array(size));
};
Buffer.allocUnsafeSlow = function allocUnsafeSlow(size) {
  needSize(size);
  return own(new Uint8Array(size));
};
Buffer.concat = function concat(list, length = undefined) {
  if (!Array.isArray(list)) throw wrongType('list', 'an instance of Array', list);
  if (list.length === 0) return Buffer.alloc(0);
  if (length !== undefined) needInteger(length, 'length', 0, kMaxLength);
  let sum = 0;
  for (let i = 0; i < list.length; i++) {
    needBytes(list[i], `list[${i}]`);
    sum += list[i].length;
  }
  const whole = Buffer.alloc(length ?? sum);
  let at = 0;
  for (const part of list) {
    const left = whole.length - at;
    if (left <= 0) break;
    whole.set(part.length > left ? part.subarray(0, left) : part, at);
    at += part.length;
  }
  return whole;
};
Buffer.compare = compareBytes;
Object.defineProperty(Buffer.compare, 'name', { value: 'compare' });
Buffer.isBuffer = function isBuffer(value) { return value instanceof Buffer; };
Buffer.byteLength = function byteLength(value, encoding) {
  if (typeof value !== 'string') {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
    throw wrongType('string', 'of type string or an instance of Buffer or ArrayBuffer', value);
  }
  if (isUtf8Name(encoding) && value.length > SHORT) return encoder.encode(value).length;
  if (typeof encoding === 'string' && encoding.toLowerCase().startsWith('base64') && isKnown(encoding)) {
    const { length } = value, padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
    return Math.trunc((length - padding) * 3 / 4);
  }
  return byteLengthSlowly(value, encoding);
};
Buffer.copyBytesFrom = (view, offset = 0, length = undefined) => {
  if (!ArrayBuffer.isView(view) || view instanceof DataView) throw wrongType('view', 'an instance of TypedArray', view);
  needInteger(offset, 'offset', 0, Number.MAX_SAFE_INTEGER);
  if (length !== undefined) needInteger(length, 'length', 0, Number.MAX_SAFE_INTEGER);
  const part = view.subarray(offset, length === undefined ? undefined : offset + length);
  return Buffer.from(new Uint8Array(part.buffer, part.byteOffset, part.byteLength).slice().buffer);
};
// What the package knows its own by.
delete Buffer.prototype._isBuffer;
delete Buffer.TYPED_ARRAY_SUPPORT;

// As Node shows it, in its own console and in ours.
Buffer.prototype[Symbol.for('nodejs.util.inspect.custom')] = function (depth, options) {
  const shown = Math.min(INSPECT_MAX_BYTES, this.length);
  let text = '';
  for (let i = 0; i < shown; i++) text += `${i > 0 ? ' ' : ''}${this[i] < 16 ? '0' : ''}${this[i].toString(16)}`;
  const more = this.length - shown;
  if (more > 0) text += ` ... ${more} more byte${more > 1 ? 's' : ''}`;
  return `<${this.constructor.name} ${text}>`.replace(' >', '>').replace(/^<Buffer>$/, '<Buffer >');
};
delete Buffer.prototype.inspect;
for (const name of Object.keys(Buffer.prototype)) {
  if (Object.getOwnPropertyDescriptor(Buffer.prototype, name).configurable) {
    Object.defineProperty(Buffer.prototype, name, { enumerable: false });
  }
}

const isAscii = (input) => asBytes(ArrayBuffer.isView(input) ? input : new Uint8Array(input)).every((byte) => byte < 128);
const isUtf8 = (input) => {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(ArrayBuffer.isView(input) ? asBytes(input) : new Uint8Array(input));
    return true;
  } catch { return false; }
};
const CODES = /^(?:ascii|latin1|binary|ucs-?2|utf-?16le|utf-?8)$/i;
const transcode = (source, from, to) => {
  needBytes(source, 'source');
  if (source.length === 0) return Buffer.alloc(0);
  if (!CODES.test(from) || !CODES.test(to)) {
    throw coded(Error, 'U_ILLEGAL_ARGUMENT_ERROR', 'Unable to transcode Buffer [U_ILLEGAL_ARGUMENT_ERROR]');
  }
  return Buffer.from(Buffer.from(source.buffer, source.byteOffset, source.byteLength).toString(from), to);
};

export {
  Blob, Buffer, File, INSPECT_MAX_BYTES, SlowBuffer, atob, btoa, constants, isAscii, isUtf8, kMaxLength, kStringMaxLength, transcode,
};
export default {
  Blob, Buffer, File, INSPECT_MAX_BYTES, SlowBuffer, atob, btoa, constants, isAscii, isUtf8, kMaxLength, kStringMaxLength, transcode,
};
