// Numbers in a Buffer: Node's methods, which take no offset or value that does not fit. Bytes are put together by hand where
// they are few: a view of its own for each number would cost more than that.
import { coded, outOfRange, wrongType } from './errors.js';

/** Why `size` bytes at `offset` can't be had. */
const refuse = (bytes, offset, size) => {
  if (typeof offset !== 'number') throw wrongType('offset', 'of type number', offset);
  if (Math.floor(offset) !== offset) throw outOfRange('offset', 'an integer', offset);
  const last = bytes.length - size;
  if (last < 0) throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', 'Attempt to access memory outside buffer bounds');
  throw outOfRange('offset', `>= 0 and <= ${last}`, offset);
};
const check = (bytes, offset, size) => {
  if (offset >>> 0 !== offset || offset + size > bytes.length) refuse(bytes, offset, size);
};
const needSize = (size) => {
  if (typeof size !== 'number') throw wrongType('byteLength', 'of type number', size);
  if (Math.floor(size) !== size) throw outOfRange('byteLength', 'an integer', size);
  if (size < 1 || size > 6) throw outOfRange('byteLength', '>= 1 and <= 6', size);
};
const needRange = (value, signed, size) => {
  const bits = 8 * size - (signed ? 1 : 0), max = 2 ** bits - 1, min = signed ? -(2 ** bits) : 0;
  if (!(value > max || value < min)) return;
  const range = size <= 4 ? `>= ${min} and <= ${max}` : `>= ${signed ? `-(2 ** ${bits})` : 0} and < 2 ** ${bits}`;
  throw outOfRange('value', range, value);
};

const unsigned = {
  little: [, (b, o) => b[o], (b, o) => b[o] | b[o + 1] << 8, (b, o) => b[o] | b[o + 1] << 8 | b[o + 2] << 16,
    (b, o) => (b[o] | b[o + 1] << 8 | b[o + 2] << 16) + b[o + 3] * 2 ** 24,
    (b, o) => (b[o] | b[o + 1] << 8 | b[o + 2] << 16) + b[o + 3] * 2 ** 24 + b[o + 4] * 2 ** 32,
    (b, o) => (b[o] | b[o + 1] << 8 | b[o + 2] << 16) + b[o + 3] * 2 ** 24 + b[o + 4] * 2 ** 32 + b[o + 5] * 2 ** 40],
  big: [, (b, o) => b[o], (b, o) => b[o + 1] | b[o] << 8, (b, o) => b[o + 2] | b[o + 1] << 8 | b[o] << 16,
    (b, o) => (b[o + 3] | b[o + 2] << 8 | b[o + 1] << 16) + b[o] * 2 ** 24,
    (b, o) => (b[o + 4] | b[o + 3] << 8 | b[o + 2] << 16) + b[o + 1] * 2 ** 24 + b[o] * 2 ** 32,
    (b, o) => (b[o + 5] | b[o + 4] << 8 | b[o + 3] << 16) + b[o + 2] * 2 ** 24 + b[o + 1] * 2 ** 32 + b[o] * 2 ** 40],
};
const signed = (read, size) => {
  if (size <= 4) return (b, o) => read(b, o) << (32 - 8 * size) >> (32 - 8 * size);
  const half = 2 ** (8 * size - 1);
  return (b, o) => {
    const value = read(b, o);
    return value >= half ? value - 2 * half : value;
  };
};
// What is written into a byte is cut to one, but only numbers of 32 bits can be shifted.
const put = (b, o, value, size, little) => {
  const low = size <= 4 ? value : value - Math.floor(value / 2 ** 32) * 2 ** 32, high = Math.floor(value / 2 ** 32);
  for (let i = 0; i < size; i++) b[little ? o + i : o + size - 1 - i] = i < 4 ? low >>> (8 * i) : high >>> (8 * i - 32);
};

const writes = {
  little: [, (b, o, v) => { b[o] = v; }, (b, o, v) => { b[o] = v; b[o + 1] = v >>> 8; },,
    (b, o, v) => { b[o] = v; b[o + 1] = v >>> 8; b[o + 2] = v >>> 16; b[o + 3] = v >>> 24; }],
  big: [,, (b, o, v) => { b[o + 1] = v; b[o] = v >>> 8; },,
    (b, o, v) => { b[o + 3] = v; b[o + 2] = v >>> 8; b[o + 1] = v >>> 16; b[o] = v >>> 24; }],
};

export const numbers = { __proto__: null };
const define = (names, method) => {
  for (const name of names.split(' ')) numbers[name] = Object.defineProperty(method, 'name', { value: names.split(' ')[0] });
};
for (const order of ['little', 'big']) {
  const end = order === 'little' ? 'LE' : 'BE', little = order === 'little';
  for (const sign of ['UInt', 'Int']) {
    const reads = sign === 'Int' ? unsigned[order].map((read, size) => signed(read, size)) : unsigned[order];
    for (const size of little ? [1, 2, 4] : [2, 4]) {
      const read = reads[size], isSigned = sign === 'Int', kind = `${8 * size}${size === 1 ? '' : end}`;
      const write = writes[order][size], max = 2 ** (8 * size - isSigned) - 1, min = isSigned ? -max - 1 : 0;
      const both = (what) => (isSigned ? `${what}Int${kind}` : `${what}UInt${kind} ${what}Uint${kind}`);
      define(both('read'), function (offset = 0) {
        if (offset >>> 0 !== offset || offset + size > this.length) refuse(this, offset, size);
        return read(this, offset);
      });
      define(both('write'), function (value, offset = 0) {
        value = +value;
        if (value > max || value < min) needRange(value, isSigned, size);
        if (offset >>> 0 !== offset || offset + size > this.length) refuse(this, offset, size);
        write(this, offset, value);
        return offset + size;
      });
    }
    const any = (what) => (sign === 'Int' ? `${what}Int${end}` : `${what}UInt${end} ${what}Uint${end}`);
    define(any('read'), function (offset, byteLength) {
      if (offset === undefined) throw wrongType('offset', 'of type number', offset);
      needSize(byteLength);
      check(this, offset, byteLength);
      return reads[byteLength](this, offset);
    });
    define(any('write'), function (value, offset, byteLength) {
      needSize(byteLength);
      value = +value;
      needRange(value, sign === 'Int', byteLength);
      check(this, offset, byteLength);
      put(this, offset, value, byteLength, little);
      return offset + byteLength;
    });
  }
  // The engine's own order is little.
  const scratch = (Type, names, needValue) => {
    const value = new Type(1), bytes = new Uint8Array(value.buffer), size = bytes.length;
    const [read, write] = names;
    define(read, function (offset = 0) {
      check(this, offset, size);
      for (let i = 0; i < size; i++) bytes[i] = this[little ? offset + i : offset + size - 1 - i];
      return value[0];
    });
    define(write, function (number, offset = 0) {
      needValue?.(number);
      value[0] = number;
      check(this, offset, size);
      for (let i = 0; i < size; i++) this[little ? offset + i : offset + size - 1 - i] = bytes[i];
      return offset + size;
    });
  };
  scratch(Float32Array, [`readFloat${end}`, `writeFloat${end}`]);
  scratch(Float64Array, [`readDouble${end}`, `writeDouble${end}`]);
  const within = (min, max, range) => (value) => { if (value > max || value < min) throw outOfRange('value', range, value); };
  scratch(BigUint64Array, [`readBigUInt64${end} readBigUint64${end}`, `writeBigUInt64${end} writeBigUint64${end}`],
    within(0n, 2n ** 64n - 1n, '>= 0n and < 2n ** 64n'));
  scratch(BigInt64Array, [`readBigInt64${end}`, `writeBigInt64${end}`],
    within(-(2n ** 63n), 2n ** 63n - 1n, '>= -(2n ** 63n) and < 2n ** 63n'));
}
