// node:buffer, on feross's Buffer; what the engine does natively is not done in JavaScript.
import feross from 'buffer';
import { outOfRange, wrongType } from './errors.js';

const { Blob, File, TextDecoder, TextEncoder, Uint8Array, atob, btoa } = globalThis;
const { Buffer, SlowBuffer, kMaxLength } = feross;
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
Object.assign(Buffer.prototype, {
  toString(encoding = undefined, start = undefined, end = undefined) {
    const { length } = this, native = natively[encoding === undefined ? 'utf8' : String(encoding).toLowerCase()];
    if (native === undefined || length < SHORT) return toStringSlowly.apply(this, arguments.length === 0 ? ['utf8'] : arguments);
    const from = clamp(start, 0, length), to = end === undefined ? length : clamp(end, 0, length);
    return to <= from ? '' : native(this.subarray(from, to));
  },
  write(string, offset, length, encoding) {
    if (typeof string !== 'string') throw wrongType('argument', 'of type string', string);
    // Whole characters alone: what is left of one would be written by the slow way, too.
    if (offset === undefined && string.length > SHORT) return encoder.encodeInto(string, asBytes(this)).written;
    return writeSlowly.apply(this, arguments);
  },
});
/** Into any array of bytes. */
Buffer.prototype.copy = function (target, targetStart = 0, start = 0, end = this.length) {
  if (!(target instanceof Uint8Array)) throw wrongType('target', 'an instance of Buffer or Uint8Array', target);
  const at = toOffset('targetStart', targetStart), from = toOffset('sourceStart', start), to = toOffset('sourceEnd', end);
  if (from > this.length) throw outOfRange('sourceStart', `>= 0 && <= ${this.length}`, from);
  const part = this.subarray(from, Math.min(to, from + Math.max(target.length - at, 0)));
  if (at < target.length && part.length > 0) target.set(part, at);
  return at < target.length ? part.length : 0;
};
const toOffset = (name, value) => {
  const offset = Math.trunc(Number(value)) || 0;
  if (offset < 0) throw outOfRange(name, '>= 0', offset);
  return offset;
};
Buffer.prototype.toLocaleString = Buffer.prototype.toString;
const asBytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

const own = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);
Buffer.from = function from(value, encodingOrOffset, length) {
  if (typeof value === 'string' && isUtf8Name(encodingOrOffset)) return own(encoder.encode(value));
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean'
    || typeof value === 'bigint' || typeof value === 'symbol') {
    throw wrongType('first argument', 'of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object', value);
  }
  return fromSlowly(value, encodingOrOffset, length);
};
Buffer.byteLength = function byteLength(value, encoding) {
  if (typeof value === 'string' && isUtf8Name(encoding) && value.length > SHORT) return encoder.encode(value).length;
  return byteLengthSlowly(value, encoding);
};
Buffer.copyBytesFrom = (view, offset = 0, length = undefined) => {
  if (!ArrayBuffer.isView(view) || view instanceof DataView) throw wrongType('view', 'an instance of TypedArray', view);
  const part = view.subarray(offset, length === undefined ? undefined : offset + length);
  return Buffer.from(new Uint8Array(part.buffer, part.byteOffset, part.byteLength).slice().buffer);
};

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
const transcode = (source, from, to) => Buffer.from(Buffer.from(source.buffer, source.byteOffset, source.byteLength).toString(from), to);

export {
  Blob, Buffer, File, INSPECT_MAX_BYTES, SlowBuffer, atob, btoa, constants, isAscii, isUtf8, kMaxLength, kStringMaxLength, transcode,
};
export default {
  Blob, Buffer, File, INSPECT_MAX_BYTES, SlowBuffer, atob, btoa, constants, isAscii, isUtf8, kMaxLength, kStringMaxLength, transcode,
};
