// structuredClone.
import {
  DOMException, DataView, Map, Set, String, Symbol, Uint8Array, bufferLength, defineProperty, dictionary,
  getOwnPropertyDescriptor, getPrototypeOf, getter, isObject, isView, kindOf, mapEach, mapGet, mapHas, mapSet,
  method, need, push, setAdd, setEach, sliceBuffer, toText, typedLength, viewParts,
} from './primordials.js';
import { blobBytes, File, fileFacts, isBlob, makeBlob } from './blob.js';

const { Array, ArrayBuffer, Date, Error, RegExp, Object } = globalThis;
const { keys, prototype: plain } = Object;
const unbox = {
  __proto__: null,
  Number: method(Number.prototype.valueOf), String: method(String.prototype.valueOf),
  Boolean: method(Boolean.prototype.valueOf), BigInt: method(BigInt.prototype.valueOf),
};
const time = method(Date.prototype.getTime);
const source = getter(RegExp.prototype, 'source'), flags = getter(RegExp.prototype, 'flags');
const detached = getter(ArrayBuffer.prototype, 'detached'), resizable = getter(ArrayBuffer.prototype, 'resizable');
const maxLength = getter(ArrayBuffer.prototype, 'maxByteLength'), transferBuffer = method(ArrayBuffer.prototype.transfer);
const setBytes = method(Object.getPrototypeOf(Uint8Array.prototype).set), stackOf = getter(Error.prototype, 'stack');
const exceptionName = getter(DOMException.prototype, 'name'), exceptionMessage = getter(DOMException.prototype, 'message');
const errors = { __proto__: null };
for (const name of ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError']) {
  errors[name] = globalThis[name];
}
const views = { __proto__: null, DataView };
for (const name of ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'BigInt64Array', 'BigUint64Array', 'Float16Array', 'Float32Array', 'Float64Array']) views[name] = globalThis[name];
const symbolText = method(Symbol.prototype.toString);

const fail = (what) => { throw new DOMException(`${what} could not be cloned.`, 'DataCloneError'); };
const put = (object, key, value) => {
  defineProperty(object, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
};

/** `isPlatform`: whether an object is one of the web's classes that can't be cloned. */
export const makeStructuredClone = (isPlatform) => {
  const copyBuffer = (buffer) => {
    if (detached(buffer)) fail('A detached ArrayBuffer');
    if (!resizable(buffer)) return sliceBuffer(buffer, 0);
    const copy = new ArrayBuffer(bufferLength(buffer), { maxByteLength: maxLength(buffer) });
    setBytes(new Uint8Array(copy), new Uint8Array(buffer));
    return copy;
  };

  const cloneError = (value, memory) => {
    const data = (name) => {
      const found = getOwnPropertyDescriptor(value, name);
      return found !== undefined && 'value' in found ? found.value : undefined;
    };
    const name = value.name, message = data('message'), type = errors[toText(name)] ?? Error;
    const copy = new type(message === undefined ? undefined : toText(message));
    mapSet(memory, value, copy);
    if (message === undefined) delete copy.message;
    const stack = stackOf(value);
    const own = { __proto__: null, value: typeof stack === 'string' ? stack : '', writable: true, configurable: true };
    defineProperty(copy, 'stack', own);
    const cause = getOwnPropertyDescriptor(value, 'cause');
    if (cause !== undefined && 'value' in cause) {
      defineProperty(copy, 'cause', { __proto__: null, value: clone(cause.value, memory), writable: true, configurable: true });
    }
    return copy;
  };

  const clone = (value, memory) => {
    if (typeof value === 'symbol') fail(symbolText(value));
    if (!isObject(value)) return value;
    if (mapHas(memory, value)) return mapGet(memory, value);
    if (typeof value === 'function') fail('A function');
    const kind = kindOf(value);
    let copy;
    const remember = (made) => {
      copy = made;
      mapSet(memory, value, made);
    };
    switch (kind) {
      case 'Number': case 'String': case 'Boolean': case 'BigInt': remember(Object(unbox[kind](value))); return copy;
      case 'Date': remember(new Date(time(value))); return copy;
      case 'RegExp': remember(new RegExp(source(value), flags(value))); return copy;
      case 'ArrayBuffer': remember(copyBuffer(value)); return copy;
      case 'Error': return cloneError(value, memory);
      case 'DOMException': remember(new DOMException(exceptionMessage(value), exceptionName(value))); return copy;
      case 'Map': {
        remember(new Map());
        const entries = [];
        mapEach(value, (item, key) => { push(entries, key); push(entries, item); });
        for (let i = 0; i < entries.length; i += 2) mapSet(copy, clone(entries[i], memory), clone(entries[i + 1], memory));
        return copy;
      }
      case 'Set': {
        remember(new Set());
        const items = [];
        setEach(value, (item) => { push(items, item); });
        for (let i = 0; i < items.length; i++) setAdd(copy, clone(items[i], memory));
        return copy;
      }
      case 'Array': remember([]); copy.length = value.length; break;
      case 'Object': case 'Arguments':
        if (isBlob(value)) {
          const facts = fileFacts(value), bytes = blobBytes(value);
          const blob = makeBlob(bytes, value.type);
          remember(facts === undefined ? blob : new File([blob], facts.name, { type: value.type, lastModified: facts.lastModified }));
          return copy;
        }
        // Most are plain, and asking takes its time.
        if (getPrototypeOf(value) !== plain && isPlatform(value)) fail('An object of the platform');
        remember({});
        break;
      default:
        if (views[kind] === undefined || !isView(value)) fail(`A ${kind}`);
        const { buffer, offset, length } = viewParts(value);
        if (detached(buffer)) fail('An array whose buffer is detached');
        const target = clone(buffer, memory);
        remember(new views[kind](target, offset, kind === 'DataView' ? length : typedLength(value)));
        return copy;
    }
    const names = keys(value);
    for (let i = 0; i < names.length; i++) {
      // A getter may have deleted what comes after it.
      if (i > 0 && getOwnPropertyDescriptor(value, names[i])?.enumerable !== true) continue;
      put(copy, names[i], clone(value[names[i]], memory));
    }
    return copy;
  };

  return function structuredClone(value, options = undefined) {
    need(arguments.length, 1, 'structuredClone');
    const memory = new Map(), { transfer } = dictionary(options, 'structuredClone'), given = [];
    if (transfer !== undefined) for (const item of transfer) push(given, item);
    for (let i = 0; i < given.length; i++) {
      const item = given[i];
      if (!isObject(item) || kindOf(item) !== 'ArrayBuffer' || detached(item)) {
        throw new DOMException('A value to transfer is not transferable.', 'DataCloneError');
      }
      if (mapHas(memory, item)) throw new DOMException('An ArrayBuffer is to be transferred twice.', 'DataCloneError');
      mapSet(memory, item, copyBuffer(item));
    }
    // Copied and then detached instead of moved: so nothing has changed when something else can't be cloned.
    const copy = clone(value, memory);
    for (let i = 0; i < given.length; i++) transferBuffer(given[i], 0);
    return copy;
  };
};
