// What a Buffer is compared with and searched for: any Uint8Array, in Node's order of arguments and with its errors.
import { needInteger, wrongType } from './errors.js';

const { indexOf, lastIndexOf } = Uint8Array.prototype;
const BYTES = 'an instance of Buffer or Uint8Array';
export const needBytes = (value, name) => {
  if (!(value instanceof Uint8Array)) throw wrongType(name, BYTES, value);
};

const order = (a, b, from, to, otherFrom, otherTo) => {
  const shared = Math.min(to - from, otherTo - otherFrom);
  for (let i = 0; i < shared; i++) {
    const difference = a[from + i] - b[otherFrom + i];
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return Math.sign(to - from - (otherTo - otherFrom));
};
export const compareBytes = (a, b) => {
  needBytes(a, 'buf1');
  needBytes(b, 'buf2');
  return a === b ? 0 : order(a, b, 0, a.length, 0, b.length);
};

/** Where a search begins, as Node counts: undefined where there is nothing to be found. */
const beginning = (offset, length, needle, forward) => {
  if (offset < 0) {
    if (offset + length >= 0) return offset + length;
    return forward || needle === 0 ? 0 : undefined;
  }
  if (offset + needle <= length) return offset;
  if (needle === 0) return length;
  return forward ? undefined : length - 1;
};

const startsAt = (bytes, needle, at) => {
  for (let i = 1; i < needle.length; i++) if (bytes[at + i] !== needle[i]) return false;
  return true;
};

/** Methods of Buffer; `encoded(text, encoding)` makes bytes of what is text, `isWide` says which have two to a character. */
export const searching = (encoded, isWide) => {
  const search = (bytes, value, byteOffset, encoding, forward) => {
    if (typeof byteOffset === 'string') [encoding, byteOffset] = [byteOffset, undefined];
    let offset = Math.trunc(Math.min(Math.max(+byteOffset, -0x80000000), 0x7fffffff));
    const { length } = bytes;
    if (Number.isNaN(offset)) offset = forward ? 0 : length;
    let needle = value;
    if (typeof value === 'number') needle = [value & 255];
    else if (typeof value === 'string') needle = encoded(value, encoding);
    else if (!(value instanceof Uint8Array)) throw wrongType('value', `one of type number or string or ${BYTES}`, value);
    const from = beginning(offset, length, needle.length, forward), last = length - needle.length;
    if (needle.length === 0) return from;
    if (from === undefined || last < 0) return -1;
    const wide = typeof value !== 'number' && isWide(encoding), step = wide ? 2 : 1;
    if (wide && (length < 2 || needle.length < 2)) return -1;
    let at = Math.min(from, forward ? from : last);
    if (wide) at -= at % 2;
    for (; forward ? at <= last : at >= 0; at += forward ? step : -step) {
      at = (forward ? indexOf : lastIndexOf).call(bytes, needle[0], at);
      if (at < 0 || at > last) return -1;
      if (at % step === 0 && startsAt(bytes, needle, at)) return at;
      if (at % step !== 0) at += forward ? -1 : 1;
    }
    return -1;
  };
  return {
    equals(otherBuffer) {
      needBytes(otherBuffer, 'otherBuffer');
      if (this === otherBuffer) return true;
      return this.length === otherBuffer.length && order(this, otherBuffer, 0, this.length, 0, this.length) === 0;
    },
    compare(target, targetStart = 0, targetEnd = undefined, sourceStart = 0, sourceEnd = undefined) {
      needBytes(target, 'target');
      needInteger(targetStart, 'targetStart', 0, 2 ** 32);
      if (targetEnd === undefined) targetEnd = target.length;
      else needInteger(targetEnd, 'targetEnd', 0, target.length);
      needInteger(sourceStart, 'sourceStart', 0, 2 ** 32);
      if (sourceEnd === undefined) sourceEnd = this.length;
      else needInteger(sourceEnd, 'sourceEnd', 0, this.length);
      if (sourceStart >= sourceEnd) return targetStart >= targetEnd ? 0 : -1;
      if (targetStart >= targetEnd) return 1;
      return order(this, target, sourceStart, sourceEnd, targetStart, targetEnd);
    },
    indexOf(value, byteOffset = undefined, encoding = undefined) { return search(this, value, byteOffset, encoding, true); },
    lastIndexOf(value, byteOffset = undefined, encoding = undefined) { return search(this, value, byteOffset, encoding, false); },
    includes(value, byteOffset = undefined, encoding = undefined) { return search(this, value, byteOffset, encoding, true) !== -1; },
  };
};
