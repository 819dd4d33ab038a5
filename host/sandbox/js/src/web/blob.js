// Blob and File. The bytes of a blob never change, so slices share them.
import {
  Symbol, TypeError, Uint8Array, bytesOf, concat, copyBytes, decode, dictionary, encode, getPrototypeOf, getter,
  idl, isObject, push, replace, slice, subarray, test, toLowerCase, toText, toWellFormed, typedLength,
} from './primordials.js';
import { ReadableStream } from 'web-streams-polyfill';

let blobBytes, isBlob, makeBlob;
export { blobBytes, isBlob };

const CHUNK = 65_536;
const bufferOf = getter(getPrototypeOf(Uint8Array.prototype), 'buffer');
const typeText = (type) => {
  const text = toText(type);
  return test(/[^\x20-\x7e]/, text) ? '' : toLowerCase(text);
};

/** A stream of bytes, read piece by piece. */
export const streamOf = (bytes) => {
  let at = 0;
  const length = typedLength(bytes);
  return new ReadableStream({
    type: 'bytes',
    pull(controller) {
      if (at < length) {
        const chunk = copyBytes(bytes, at, at + CHUNK);
        at += CHUNK;
        controller.enqueue(chunk);
      }
      if (at >= length) {
        controller.close();
        controller.byobRequest?.respond(0);
      }
    },
  });
};

export class Blob {
  #bytes; #type;

  constructor(parts = undefined, options = undefined) {
    const chunks = [];
    if (parts !== undefined) {
      if (!isObject(parts) || typeof parts[Symbol.iterator] !== 'function') {
        throw new TypeError('Blob: the parts must be an iterable object');
      }
      for (const part of parts) push(chunks, part);
    }
    const { endings = 'transparent', type = '' } = dictionary(options, 'Blob');
    const ending = toText(endings);
    if (ending !== 'transparent' && ending !== 'native') throw new TypeError(`Blob: '${ending}' is no value of endings`);
    for (let i = 0; i < chunks.length; i++) {
      const part = chunks[i];
      if (isBlob(part)) chunks[i] = part.#bytes;
      else {
        const text = () => (ending === 'native' ? replace(toText(part), /\r\n?/g, '\n') : toText(part));
        chunks[i] = bytesOf(part) ?? encode(toWellFormed(text()));
      }
    }
    this.#bytes = concat(chunks);
    this.#type = typeText(type);
  }

  get size() { return typedLength(this.#bytes); }
  get type() { return this.#type; }

  slice(start = 0, end = undefined, type = '') {
    const size = typedLength(this.#bytes);
    const clamp = (value) => {
      const n = trunc(Number(value)) || 0;
      return n < 0 ? max(size + n, 0) : min(n, size);
    };
    const from = clamp(start), to = end === undefined ? size : clamp(end);
    const blob = new Blob();
    blob.#bytes = subarray(this.#bytes, from, max(to, from));
    blob.#type = typeText(type);
    return blob;
  }

  // A wrong `this` is a rejection, as of every method that answers a promise.
  async text() { return decode(this.#bytes); }
  async arrayBuffer() { return bufferOf(copyBytes(this.#bytes)); }
  async bytes() { return copyBytes(this.#bytes); }
  stream() { return streamOf(this.#bytes); }

  static {
    isBlob = (value) => isObject(value) && #bytes in value;
    blobBytes = (blob) => blob.#bytes;
    makeBlob = (bytes, type) => {
      const blob = new Blob();
      blob.#bytes = bytes;
      blob.#type = typeText(type);
      return blob;
    };
  }
}
const { trunc, max, min } = Math, { Number } = globalThis, { now } = Date;
idl(Blob, 'Blob');
/** Takes the bytes over. */
export { makeBlob };

let fileFacts;
export { fileFacts };
export class File extends Blob {
  #name; #modified;
  constructor(parts, name, options = undefined) {
    if (arguments.length < 2) throw new TypeError('File: 2 arguments required');
    super(parts, options);
    const modified = dictionary(options, 'File').lastModified;
    this.#name = toWellFormed(toText(name));
    this.#modified = modified === undefined ? now() : trunc(Number(modified)) || 0;
  }
  get name() { return this.#name; }
  get lastModified() { return this.#modified; }
  get webkitRelativePath() { return ''; }
  static {
    fileFacts = (value) => (isObject(value) && #name in value
      ? { name: value.#name, lastModified: value.#modified } : undefined);
  }
}
idl(File, 'File');
