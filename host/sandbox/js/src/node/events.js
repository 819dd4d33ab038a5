// node:events. The constructor is a function, as in Node: `EventEmitter.call(this)` and util.inherits need one.
import { AbortError, coded, needFunction, needSignal, outOfRange, wrongType } from './errors.js';
import { inspect } from './inspect.js';

const errorMonitor = Symbol('events.errorMonitor'), captureRejectionSymbol = Symbol.for('nodejs.rejection');
const kCapture = Symbol('kCapture');
let defaultMaxListeners = 10;

const needCount = (n, name) => {
  if (typeof n !== 'number') throw wrongType(name, 'of type number', n);
  if (!(n >= 0)) throw outOfRange(name, '>= 0', n);
};

function EventEmitter(options) {
  EventEmitter.init.call(this, options);
}
// Not enumerable: for packages that know of it.
Object.defineProperty(EventEmitter, 'init', { writable: true, configurable: true, value(options) {
  if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) {
    this._events = { __proto__: null };
    this._eventsCount = 0;
  }
  this._maxListeners ??= undefined;
  if (options?.captureRejections !== undefined) {
    if (typeof options.captureRejections !== 'boolean') {
      throw wrongType('options.captureRejections', 'of type boolean', options.captureRejections);
    }
    this[kCapture] = options.captureRejections;
  } else if (EventEmitter.prototype[kCapture]) this[kCapture] = true;
} });
EventEmitter.prototype._events = undefined;
EventEmitter.prototype._eventsCount = 0;
EventEmitter.prototype._maxListeners = undefined;
Object.defineProperty(EventEmitter.prototype, kCapture, { value: false, writable: true });

const list = (found) => (found === undefined ? [] : typeof found === 'function' ? [found] : [...found]);
const unwrap = (listener) => listener.listener ?? listener;

const emitError = (emitter, handled, args) => {
  if (handled !== undefined) return;
  const [error] = args;
  if (error instanceof Error) throw error;
  let shown;
  try { shown = inspect(error); } catch { shown = error; }
  const unhandled = coded(Error, 'ERR_UNHANDLED_ERROR', `Unhandled error. (${shown})`);
  unhandled.context = error;
  throw unhandled;
};

const capture = (emitter, promise, type, args) => {
  if (typeof promise?.then !== 'function') return;
  promise.then(undefined, (error) => queueMicrotask(() => {
    if (typeof emitter[captureRejectionSymbol] === 'function') emitter[captureRejectionSymbol](error, type, ...args);
    else {
      // An error of the error handler must not come back here.
      const before = emitter[kCapture];
      try {
        emitter[kCapture] = false;
        emitter.emit('error', error);
      } finally { emitter[kCapture] = before; }
    }
  }));
};

const add = (emitter, type, listener, first) => {
  needFunction(listener, 'listener');
  let events = emitter._events;
  if (events === undefined) {
    events = emitter._events = { __proto__: null };
    emitter._eventsCount = 0;
  } else if (events.newListener !== undefined) {
    emitter.emit('newListener', type, unwrap(listener));
    events = emitter._events;
  }
  const found = events[type];
  if (found === undefined) {
    events[type] = listener;
    emitter._eventsCount++;
    return emitter;
  }
  const all = typeof found === 'function' ? (events[type] = [found]) : found;
  if (first) all.unshift(listener);
  else all.push(listener);
  const max = emitter.getMaxListeners();
  if (max > 0 && all.length > max && !all.warned) {
    all.warned = true;
    console.error(`MaxListenersExceededWarning: Possible EventEmitter memory leak detected. ${all.length} ${String(type)} `
      + `listeners added to ${inspect(emitter, { depth: -1 })}. MaxListeners is ${max}. Use emitter.setMaxListeners() to increase limit`);
  }
  return emitter;
};

const onceOf = (emitter, type, listener) => {
  needFunction(listener, 'listener');
  let fired = false;
  const wrapped = function (...args) {
    if (fired) return undefined;
    emitter.removeListener(type, wrapped);
    fired = true;
    return Reflect.apply(listener, emitter, args);
  };
  wrapped.listener = listener;
  return wrapped;
};

const methods = {
  setMaxListeners(n) {
    needCount(n, 'setMaxListeners');
    this._maxListeners = n;
    return this;
  },
  getMaxListeners() { return this._maxListeners === undefined ? defaultMaxListeners : this._maxListeners; },
  emit(type, ...args) {
    const events = this._events;
    if (type === 'error') {
      if (events?.[errorMonitor] !== undefined) this.emit(errorMonitor, ...args);
      emitError(this, events?.error, args);
    }
    const handler = events?.[type];
    if (handler === undefined) return false;
    const all = typeof handler === 'function' ? [handler] : [...handler];
    for (let i = 0; i < all.length; i++) {
      const result = Reflect.apply(all[i], this, args);
      if (result !== undefined && result !== null && this[kCapture]) capture(this, result, type, args);
    }
    return true;
  },
  addListener(type, listener) { return add(this, type, listener, false); },
  prependListener(type, listener) { return add(this, type, listener, true); },
  once(type, listener) { return add(this, type, onceOf(this, type, listener), false); },
  prependOnceListener(type, listener) { return add(this, type, onceOf(this, type, listener), true); },
  removeListener(type, listener) {
    needFunction(listener, 'listener');
    const events = this._events, found = events?.[type];
    if (found === undefined) return this;
    const all = typeof found === 'function' ? [found] : found;
    let at = all.length - 1;
    while (at >= 0 && all[at] !== listener && all[at].listener !== listener) at--;
    if (at < 0) return this;
    if (all.length === 1) {
      this._eventsCount--;
      if (this._eventsCount === 0) this._events = { __proto__: null };
      else delete events[type];
    } else {
      all.splice(at, 1);
      if (all.length === 1) events[type] = all[0];
    }
    if (events.removeListener !== undefined) this.emit('removeListener', type, listener);
    return this;
  },
  removeAllListeners(type) {
    const events = this._events;
    if (events === undefined) return this;
    if (events.removeListener === undefined) {
      if (arguments.length === 0) {
        this._events = { __proto__: null };
        this._eventsCount = 0;
      } else if (events[type] !== undefined) {
        this._eventsCount--;
        delete events[type];
      }
      return this;
    }
    if (arguments.length === 0) {
      for (const key of Reflect.ownKeys(events)) if (key !== 'removeListener') this.removeAllListeners(key);
      this.removeAllListeners('removeListener');
      this._events = { __proto__: null };
      this._eventsCount = 0;
      return this;
    }
    for (const listener of list(events[type]).reverse()) this.removeListener(type, listener);
    return this;
  },
  listeners(type) { return list(this._events?.[type]).map(unwrap); },
  rawListeners(type) { return list(this._events?.[type]); },
  listenerCount(type, listener) {
    const all = list(this._events?.[type]);
    return listener === undefined || listener === null ? all.length : all.filter((one) => unwrap(one) === listener).length;
  },
  eventNames() { return this._eventsCount > 0 ? Reflect.ownKeys(this._events) : []; },
};
Object.assign(EventEmitter.prototype, methods);
EventEmitter.prototype.on = EventEmitter.prototype.addListener;
EventEmitter.prototype.off = EventEmitter.prototype.removeListener;

const isEmitter = (value) => typeof value?.on === 'function';
const isTarget = (value) => typeof value?.addEventListener === 'function';
const wrongEmitter = (emitter) => wrongType('emitter', 'an instance of EventEmitter or EventTarget', emitter);

const listen = (emitter, name, listener, once = false) => {
  if (isEmitter(emitter)) emitter[once ? 'once' : 'on'](name, listener);
  else if (isTarget(emitter)) emitter.addEventListener(name, listener, { once });
  else throw wrongEmitter(emitter);
};
const unlisten = (emitter, name, listener) => {
  if (isEmitter(emitter)) emitter.removeListener(name, listener);
  else emitter.removeEventListener(name, listener);
};

async function once(emitter, name, options = {}) {
  const { signal } = options;
  needSignal(signal);
  if (signal?.aborted) throw new AbortError(signal);
  return new Promise((resolve, reject) => {
    const leave = () => {
      unlisten(emitter, name, resolver);
      if (errors) unlisten(emitter, 'error', rejecter);
      signal?.removeEventListener('abort', abort);
    };
    const resolver = (...args) => { leave(); resolve(args); };
    const rejecter = (error) => { leave(); reject(error); };
    const abort = () => { leave(); reject(new AbortError(signal)); };
    const errors = name !== 'error' && isEmitter(emitter);
    listen(emitter, name, resolver, true);
    if (errors) emitter.once('error', rejecter);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

const AsyncIteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype);
function on(emitter, name, options = {}) {
  const { signal, close = [] } = options;
  needSignal(signal);
  if (signal?.aborted) throw new AbortError(signal);
  const events = [], waiting = [];
  let error, finished = false;
  const handler = (...args) => {
    if (waiting.length > 0) waiting.shift().resolve({ value: args, done: false });
    else events.push(args);
  };
  const fail = (reason) => {
    if (waiting.length > 0) waiting.shift().reject(reason);
    else error = reason;
    iterator.return();
  };
  const abort = () => fail(new AbortError(signal));
  const end = () => iterator.return();
  const iterator = {
    __proto__: AsyncIteratorPrototype,
    next() {
      if (events.length > 0) return Promise.resolve({ value: events.shift(), done: false });
      if (error !== undefined) {
        const rejected = Promise.reject(error);
        error = undefined;
        return rejected;
      }
      if (finished) return Promise.resolve({ value: undefined, done: true });
      return new Promise((resolve, reject) => { waiting.push({ resolve, reject }); });
    },
    return() {
      unlisten(emitter, name, handler);
      if (name !== 'error' && isEmitter(emitter)) unlisten(emitter, 'error', fail);
      for (const other of close) unlisten(emitter, other, end);
      signal?.removeEventListener('abort', abort);
      finished = true;
      for (const { resolve } of waiting.splice(0)) resolve({ value: undefined, done: true });
      return Promise.resolve({ value: undefined, done: true });
    },
    throw(reason) {
      if (!(reason instanceof Error)) throw wrongType('EventEmitter.AsyncIterator', 'an instance of Error', reason);
      fail(reason);
    },
    [Symbol.asyncIterator]() { return this; },
  };
  listen(emitter, name, handler);
  if (name !== 'error' && isEmitter(emitter)) emitter.on('error', fail);
  for (const other of close) listen(emitter, other, end);
  signal?.addEventListener('abort', abort, { once: true });
  return iterator;
}

const listenerCount = (emitter, type) => {
  if (typeof emitter.listenerCount === 'function') return emitter.listenerCount(type);
  return EventEmitter.prototype.listenerCount.call(emitter, type);
};
const getEventListeners = (emitter, type) => {
  if (typeof emitter.listeners === 'function') return emitter.listeners(type);
  throw wrongEmitter(emitter);
};
const getMaxListeners = (emitter) => {
  if (typeof emitter?.getMaxListeners === 'function') return emitter.getMaxListeners();
  if (isTarget(emitter)) return 0;
  throw wrongEmitter(emitter);
};
function setMaxListeners(n = defaultMaxListeners, ...emitters) {
  needCount(n, 'setMaxListeners');
  if (emitters.length === 0) defaultMaxListeners = n;
  for (const emitter of emitters) {
    if (typeof emitter.setMaxListeners === 'function') emitter.setMaxListeners(n);
    else if (!isTarget(emitter)) throw wrongType('eventTargets', 'an instance of EventEmitter or EventTarget', emitter);
  }
}
function addAbortListener(signal, listener) {
  if (signal === undefined) throw wrongType('signal', 'an instance of AbortSignal', signal);
  needSignal(signal, 'signal');
  needFunction(listener, 'listener');
  if (signal.aborted) queueMicrotask(() => listener());
  else signal.addEventListener('abort', listener, { once: true });
  const remove = () => signal.removeEventListener('abort', listener);
  return { __proto__: null, [Symbol.dispose ?? Symbol.for('Symbol.dispose')]: remove };
}

Object.assign(EventEmitter, {
  EventEmitter, once, on, listenerCount, getEventListeners, getMaxListeners, setMaxListeners, addAbortListener, errorMonitor,
  captureRejectionSymbol,
});
Object.defineProperties(EventEmitter, {
  defaultMaxListeners: {
    get: () => defaultMaxListeners,
    set(n) { needCount(n, 'defaultMaxListeners'); defaultMaxListeners = n; },
    enumerable: true,
  },
  captureRejections: {
    get: () => EventEmitter.prototype[kCapture],
    set(value) {
      if (typeof value !== 'boolean') throw wrongType('EventEmitter.captureRejections', 'of type boolean', value);
      Object.defineProperty(EventEmitter.prototype, kCapture, { value, writable: true });
    },
    enumerable: true,
  },
});

export {
  EventEmitter, addAbortListener, captureRejectionSymbol, defaultMaxListeners, errorMonitor, getEventListeners, getMaxListeners,
  listenerCount, on, once, setMaxListeners,
};
export default EventEmitter;
