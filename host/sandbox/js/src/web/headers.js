// Headers.
import {
  Map, Symbol, TypeError, getOwnPropertyDescriptor, idl, isObject, join, mapDelete, mapEach, mapGet, mapHas, mapSet,
  charCodeAt, need, ownKeys, pairIterator, push, replace, sliceArray, sort, test, toLowerCase, toText,
} from './primordials.js';

const HeadersIterator = pairIterator('Headers');
const nameOf = (name) => {
  const text = toText(name);
  if (!test(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, text)) throw new TypeError(`Headers: '${text}' is no header name`);
  return toLowerCase(text);
};
const valueOf = (value) => {
  const given = toText(value);
  // Most are this: nothing to take off and nothing to refuse.
  if (charCodeAt(given, 0) > 32 && charCodeAt(given, given.length - 1) > 32 && !test(/[^\x20-\x7e]/, given)) return given;
  const text = replace(given, /^[\t\n\r ]+|[\t\n\r ]+$/g, '');
  if (test(/[\0\r\n]|[^\0-\xff]/, text)) throw new TypeError('Headers: the value has characters that no header may have');
  return text;
};

let isHeaders, fill, freeze, received, sorted;
export { isHeaders, fill, freeze, received, sorted };

export class Headers {
  /** Lower-case name to the value, or to the list of values of set-cookie. */
  #map = new Map();
  #immutable = false;

  constructor(init = undefined) {
    if (init !== undefined) fill(this, init);
  }
  #writable() { if (this.#immutable) throw new TypeError('Headers: these are immutable'); }

  append(name, value) {
    need(arguments.length, 2, 'Headers.append');
    const key = nameOf(name), text = valueOf(value), map = this.#map;
    this.#writable();
    const old = mapGet(map, key);
    if (key === 'set-cookie') {
      if (old === undefined) mapSet(map, key, [text]);
      else push(old, text);
    } else mapSet(map, key, old === undefined ? text : `${old}, ${text}`);
  }
  set(name, value) {
    need(arguments.length, 2, 'Headers.set');
    const key = nameOf(name), text = valueOf(value);
    this.#writable();
    mapSet(this.#map, key, key === 'set-cookie' ? [text] : text);
  }
  delete(name) {
    need(arguments.length, 1, 'Headers.delete');
    const key = nameOf(name);
    this.#writable();
    mapDelete(this.#map, key);
  }
  get(name) {
    need(arguments.length, 1, 'Headers.get');
    // What is there has the name of a header; only what is not there has to be looked at.
    const value = mapGet(this.#map, name) ?? mapGet(this.#map, nameOf(name));
    return value === undefined ? null : typeof value === 'string' ? value : join(value, ', ');
  }
  has(name) {
    need(arguments.length, 1, 'Headers.has');
    return mapHas(this.#map, nameOf(name));
  }
  getSetCookie() { return sliceArray(mapGet(this.#map, 'set-cookie') ?? []); }
  forEach(callback, thisArg = undefined) {
    if (typeof callback !== 'function') throw new TypeError('Headers.forEach: the callback is no function');
    const list = sorted(this);
    for (let i = 0; i < list.length; i++) callback.call(thisArg, list[i][1], list[i][0], this);
  }
  keys() { return new HeadersIterator(lister(this), 'keys'); }
  values() { return new HeadersIterator(lister(this), 'values'); }
  entries() { return new HeadersIterator(lister(this), 'entries'); }

  static {
    isHeaders = (value) => isObject(value) && #map in value;
    freeze = (headers) => { headers.#immutable = true; };
    /** Pairs that came from the host, which has read them: names in lower case, values that headers may have. */
    received = (pairs) => {
      const headers = new Headers(), map = headers.#map;
      for (let i = 0; i < pairs.length; i++) {
        const pair = pairs[i], name = pair[0], value = pair[1], old = mapGet(map, name);
        if (name !== 'set-cookie') mapSet(map, name, old === undefined ? value : `${old}, ${value}`);
        else if (old === undefined) mapSet(map, name, [value]);
        else push(old, value);
      }
      headers.#immutable = true;
      return headers;
    };
    sorted = (headers) => {
      const list = [];
      mapEach(headers.#map, (value, name) => {
        if (typeof value === 'string') push(list, [name, value]);
        else for (let i = 0; i < value.length; i++) push(list, [name, value[i]]);
      });
      return sort(list, (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    };
    fill = (headers, init) => {
      if (!isObject(init)) throw new TypeError('Headers: expected headers, a list of pairs or an object');
      const append = (name, value) => headers.append(name, value);
      if (isHeaders(init) && init[Symbol.iterator] === entries) {
        const list = sorted(init);
        for (let i = 0; i < list.length; i++) append(list[i][0], list[i][1]);
      } else if (init[Symbol.iterator] !== undefined && init[Symbol.iterator] !== null) {
        for (const pair of init) {
          if (!isObject(pair)) throw new TypeError('Headers: a pair must have a name and a value');
          const both = [...pair];
          if (both.length !== 2) throw new TypeError('Headers: a pair must have a name and a value');
          append(both[0], both[1]);
        }
      } else {
        const names = ownKeys(init);
        for (let i = 0; i < names.length; i++) {
          if (!getOwnPropertyDescriptor(init, names[i])?.enumerable) continue;
          if (typeof names[i] === 'symbol') throw new TypeError('Headers: a symbol is no header name');
          append(names[i], init[names[i]]);
        }
      }
    };
  }
}
const { entries } = Headers.prototype;
/** Sorted once: an iterator shows the headers as they were when it was made. */
const lister = (headers) => {
  const list = sorted(headers);
  return () => list;
};
idl(Headers, 'Headers');
Object.defineProperty(Headers.prototype, Symbol.iterator, { value: entries, writable: true, configurable: true });
