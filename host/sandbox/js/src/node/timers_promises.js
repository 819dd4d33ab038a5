// node:timers/promises.
import { AbortError, needObject, needSignal, wrongType } from './errors.js';

const {
  setTimeout: later, setInterval: often, setImmediate: soon, clearTimeout, clearInterval, clearImmediate,
} = globalThis;
const { holdTimer } = globalThis.__web;

/** A promise that `start` settles unless the signal comes first. */
const wait = (start, stop, value, options) => {
  try {
    needObject(options, 'options');
    needSignal(options.signal);
    if (options.ref !== undefined && typeof options.ref !== 'boolean') throw wrongType('options.ref', 'of type boolean', options.ref);
  } catch (error) {
    return Promise.reject(error);
  }
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(new AbortError(signal));
  return new Promise((resolve, reject) => {
    const abort = () => {
      stop(timer);
      reject(new AbortError(signal));
    };
    const timer = start(() => {
      signal?.removeEventListener('abort', abort);
      resolve(value);
    });
    if (options.ref === false) holdTimer(timer, false);
    signal?.addEventListener('abort', abort, { once: true });
  });
};

const needDelay = (delay) => (delay !== undefined && typeof delay !== 'number'
  ? Promise.reject(wrongType('delay', 'of type number', delay)) : undefined);
function setTimeout(delay, value, options = {}) {
  return needDelay(delay) ?? wait((done) => later(done, delay), clearTimeout, value, options);
}
function setImmediate(value, options = {}) {
  return wait((done) => soon(done), clearImmediate, value, options);
}

async function* setInterval(delay, value, options = {}) {
  needObject(options, 'options');
  needSignal(options.signal);
  const { signal } = options;
  if (signal?.aborted) throw new AbortError(signal);
  let passed = 0, wake;
  const timer = often(() => {
    passed++;
    wake?.();
  }, delay);
  if (options.ref === false) holdTimer(timer, false);
  const abort = () => {
    clearInterval(timer);
    wake?.();
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    while (!signal?.aborted) {
      if (passed === 0) await new Promise((resolve) => { wake = resolve; });
      for (; passed > 0; passed--) yield value;
    }
    throw new AbortError(signal);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', abort);
  }
}

const scheduler = {
  wait: (delay, options) => setTimeout(delay, undefined, options),
  yield: () => setImmediate(),
};
// What util.promisify makes of timers: of the globals, and of the module's own.
const custom = Symbol.for('nodejs.util.promisify.custom');
export const promisified = (timers) => {
  Object.defineProperty(timers.setTimeout, custom, { get: () => setTimeout, enumerable: true });
  Object.defineProperty(timers.setImmediate, custom, { get: () => setImmediate, enumerable: true });
};
promisified(globalThis);
export { setTimeout, setInterval, setImmediate, scheduler };
export default { setTimeout, setInterval, setImmediate, scheduler };
