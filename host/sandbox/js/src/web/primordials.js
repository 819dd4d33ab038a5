// What the classes here need of the language, taken before any script can change it.
export const { DOMException, Promise, TypeError, RangeError, Map, Set, Uint8Array, DataView, String, Symbol } = globalThis;
const { bind, call } = Function.prototype;
/** The method as a function that takes `this` first. */
export const method = bind.bind(call);
export const getter = (prototype, name) => method(Object.getOwnPropertyDescriptor(prototype, name).get);
export const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf, keys, hasOwn, freeze } = Object;
export const { ownKeys, apply } = Reflect;
export const { isView } = ArrayBuffer;

export const push = method(Array.prototype.push), splice = method(Array.prototype.splice);
export const sliceArray = method(Array.prototype.slice), join = method(Array.prototype.join);
export const sort = method(Array.prototype.sort), indexOf = method(Array.prototype.indexOf);
export const charCodeAt = method(String.prototype.charCodeAt), slice = method(String.prototype.slice);
export const toLowerCase = method(String.prototype.toLowerCase), toUpperCase = method(String.prototype.toUpperCase);
export const find = method(String.prototype.indexOf), replace = method(String.prototype.replace);
export const toWellFormed = method(String.prototype.toWellFormed), split = method(String.prototype.split);
export const test = method(RegExp.prototype.test), exec = method(RegExp.prototype.exec);
export const mapGet = method(Map.prototype.get), mapSet = method(Map.prototype.set), mapHas = method(Map.prototype.has);
export const mapDelete = method(Map.prototype.delete), mapEach = method(Map.prototype.forEach);
export const setAdd = method(Set.prototype.add), setEach = method(Set.prototype.forEach);
export const setDelete = method(Set.prototype.delete), setHas = method(Set.prototype.has);
export const then = method(Promise.prototype.then);
export const resolved = Promise.resolve.bind(Promise), rejected = Promise.reject.bind(Promise);

const views = getPrototypeOf(Uint8Array.prototype);
/** "Uint8Array", whatever the array's own constructor says; undefined when it is no typed array. */
export const viewKind = getter(views, Symbol.toStringTag);
const viewBuffer = getter(views, 'buffer'), viewOffset = getter(views, 'byteOffset'), viewBytes = getter(views, 'byteLength');
const dataBuffer = getter(DataView.prototype, 'buffer'), dataOffset = getter(DataView.prototype, 'byteOffset');
const dataBytes = getter(DataView.prototype, 'byteLength');
export const typedLength = getter(views, 'length');
export const bufferLength = getter(ArrayBuffer.prototype, 'byteLength');
export const subarray = method(views.subarray), setBytes = method(views.set), copyBytes = method(views.slice);
export const sliceBuffer = method(ArrayBuffer.prototype.slice);

/** Buffer, offset and length in bytes of a typed array or DataView. */
export const viewParts = (view) => (viewKind(view) !== undefined
  ? { buffer: viewBuffer(view), offset: viewOffset(view), length: viewBytes(view) }
  : { buffer: dataBuffer(view), offset: dataOffset(view), length: dataBytes(view) });

const encoder = new TextEncoder(), encodeText = method(TextEncoder.prototype.encode);
const decoder = new TextDecoder(), decodeText = method(TextDecoder.prototype.decode);
export const encode = (text) => encodeText(encoder, text);
/** UTF-8 without its byte order mark. Nothing stays in a decoder that is not told of a stream. */
export const decode = (bytes) => decodeText(decoder, bytes);

export const natives = globalThis.__web;
export const { kindOf } = natives;

/** As the platform converts: a symbol is an error. */
export const toText = (value) => `${value}`;

export const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
export const isBuffer = (value) => isObject(value) && kindOf(value) === 'ArrayBuffer';

/** Bytes of an ArrayBuffer or of any view, not copied; undefined for anything else. */
export const bytesOf = (value) => {
  if (isView(value)) {
    const { buffer, offset, length } = viewParts(value);
    return new Uint8Array(buffer, offset, length);
  }
  return isBuffer(value) ? new Uint8Array(value) : undefined;
};

/** One array of many. */
export const concat = (chunks) => {
  let total = 0;
  for (let i = 0; i < chunks.length; i++) total += typedLength(chunks[i]);
  const all = new Uint8Array(total);
  for (let i = 0, at = 0; i < chunks.length; i++) {
    setBytes(all, chunks[i], at);
    at += typedLength(chunks[i]);
  }
  return all;
};

/** Makes of a class what the platform's are: enumerable members and a tag. */
export const idl = (type, name) => {
  for (const [object, skipped] of [[type.prototype, 'constructor'], [type, 'prototype']]) {
    for (const key of ownKeys(object)) {
      if (typeof key !== 'string' || key === skipped || key === 'name' && object === type || key === 'length') continue;
      const found = getOwnPropertyDescriptor(object, key);
      if (found.configurable) defineProperty(object, key, { ...found, enumerable: true });
    }
  }
  // The bundler renames what shares its name with a global.
  defineProperty(type, 'name', { value: name, configurable: true });
  defineProperty(type.prototype, Symbol.toStringTag, { value: name, configurable: true });
  return type;
};

const iteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
/** A class of iterators over `list` of `[key, value]`, which is asked for at every step. */
export const pairIterator = (name) => {
  class Iterator {
    #list; #kind; #at = 0;
    constructor(list, kind) { this.#list = list; this.#kind = kind; }
    next() {
      const list = this.#list();
      if (this.#at >= list.length) return { value: undefined, done: true };
      const [key, value] = list[this.#at++];
      return { value: this.#kind === 'entries' ? [key, value] : this.#kind === 'keys' ? key : value, done: false };
    }
  }
  delete Iterator.prototype.constructor;
  setPrototypeOf(Iterator.prototype, iteratorPrototype);
  return idl(Iterator, `${name} Iterator`);
};

/** What WebIDL does with an options argument. */
export const dictionary = (value, where) => {
  if (value === undefined || value === null) return { __proto__: null };
  if (!isObject(value)) throw new TypeError(`${where}: the options must be an object`);
  return value;
};

export const need = (count, least, where) => {
  if (count < least) throw new TypeError(`${where}: ${least} argument${least > 1 ? 's' : ''} required, but only ${count} present`);
};
