// node:util.
import 'node:timers/promises';
import { parseArgs as parse } from '@pkgjs/parseargs';
import { isDeepStrictEqual as deepStrictEqual } from 'assert/build/internal/util/comparisons.js';
import { coded, needFunction, needObject, needSignal, needString, wrongType } from './errors.js';
import { format, formatWithOptions, inspect, stripVTControlCharacters } from './inspect.js';
import types from './types.js';

const { TextDecoder, TextEncoder } = globalThis;
const isDeepStrictEqual = (a, b) => deepStrictEqual(a, b);

/** Node's errors of arguments are TypeErrors by now. */
function parseArgs(config = undefined) {
  try {
    return parse(config);
  } catch (error) {
    throw error.code?.startsWith('ERR_PARSE_ARGS') ? coded(TypeError, error.code, error.message) : error;
  }
}

const custom = Symbol.for('nodejs.util.promisify.custom');
function promisify(original) {
  needFunction(original, 'original');
  const own = original[custom];
  if (own) {
    needFunction(own, 'util.promisify.custom');
    return Object.defineProperty(own, custom, { value: own, enumerable: false, writable: false, configurable: true });
  }
  function promised(...args) {
    return new Promise((resolve, reject) => {
      Reflect.apply(original, this, [...args, (error, value) => (error ? reject(error) : resolve(value))]);
    });
  }
  Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
  Object.defineProperty(promised, custom, { value: promised, enumerable: false, writable: false, configurable: true });
  return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
}
promisify.custom = custom;

function callbackify(original) {
  needFunction(original, 'original');
  function callbackified(...args) {
    const callback = args.pop();
    needFunction(callback, 'last argument');
    const done = (...results) => queueMicrotask(() => Reflect.apply(callback, this, results));
    Reflect.apply(original, this, args).then((value) => done(null, value), (reason) => {
      if (reason) return done(reason);
      const error = coded(Error, 'ERR_FALSY_VALUE_REJECTION', 'Promise was rejected with falsy value');
      error.reason = reason;
      done(error);
    });
  }
  const descriptors = Object.getOwnPropertyDescriptors(original);
  if (typeof descriptors.length.value === 'number') descriptors.length.value++;
  if (typeof descriptors.name.value === 'string') descriptors.name.value += 'Callbackified';
  return Object.defineProperties(callbackified, descriptors);
}

function inherits(constructor, parent) {
  needFunction(constructor, 'ctor');
  needFunction(parent, 'superCtor');
  if (parent.prototype === undefined) throw wrongType('superCtor.prototype', 'of type object', parent.prototype);
  Object.defineProperty(constructor, 'super_', { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

const warned = new Set();
function deprecate(original, message, code) {
  needFunction(original, 'fn');
  if (code !== undefined) needString(code, 'code');
  let told = false;
  function deprecated(...args) {
    if (!told) {
      told = true;
      if (code === undefined || !warned.has(code)) {
        if (code !== undefined) warned.add(code);
        console.warn(code === undefined ? `DeprecationWarning: ${message}` : `[${code}] DeprecationWarning: ${message}`);
      }
    }
    return new.target ? Reflect.construct(original, args, new.target) : Reflect.apply(original, this, args);
  }
  Object.setPrototypeOf(deprecated, original);
  if (original.prototype) deprecated.prototype = original.prototype;
  return deprecated;
}

function styleText(style, text, options = undefined) {
  needString(text, 'text');
  if (options !== undefined) needObject(options, 'options');
  let before = '', after = '';
  for (const name of Array.isArray(style) ? style : [style]) {
    if (name === 'none') continue;
    const codes = inspect.colors[name];
    if (codes === undefined) {
      const known = Object.keys(inspect.colors).map((key) => `'${key}'`).join(', ');
      throw coded(TypeError, 'ERR_INVALID_ARG_VALUE',
        `The argument 'format' must be one of: ${known}. Received ${inspect(name)}`);
    }
    before += `\u001b[${codes[0]}m`;
    after = `\u001b[${codes[1]}m${after}`;
  }
  return `${before}${text}${after}`;
}

const toUSVString = (text) => String(text).toWellFormed();

/** No process has an environment here, so that no section is enabled. */
function debuglog() {
  const log = () => {};
  Object.defineProperty(log, 'enabled', { get: () => false, configurable: true, enumerable: true });
  return log;
}

function aborted(signal, resource) {
  if (signal === undefined) return Promise.reject(wrongType('signal', 'an instance of AbortSignal', signal));
  try {
    needSignal(signal, 'signal');
    needObject(resource, 'resource');
  } catch (error) {
    return Promise.reject(error);
  }
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => { signal.addEventListener('abort', () => resolve(), { once: true }); });
}

const isArray = Array.isArray;
function _extend(target, source) {
  return source === null || typeof source !== 'object' ? target : Object.assign(target, source);
}

export {
  TextDecoder, TextEncoder, _extend, aborted, callbackify, debuglog, debuglog as debug, deprecate, format, formatWithOptions,
  inherits, inspect, isArray, isDeepStrictEqual, parseArgs, promisify, stripVTControlCharacters, styleText, toUSVString, types,
};
export default {
  TextDecoder, TextEncoder, _extend, aborted, callbackify, debug: debuglog, debuglog, deprecate, format, formatWithOptions,
  inherits, inspect, isArray, isDeepStrictEqual, parseArgs, promisify, stripVTControlCharacters, styleText, toUSVString, types,
};
