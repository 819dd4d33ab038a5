// Event, CustomEvent and EventTarget: the DOM standard's, for targets that stand alone.
import {
  DOMException, TypeError, dictionary, idl, indexOf, isObject, need, push, rejected, sliceArray, splice, toText,
} from './primordials.js';

const { now } = globalThis.performance;

/** Tells of an error that nobody can catch: it becomes an unhandled rejection. */
export const reportError = (error) => { rejected(error); };

let dispatch, isEvent, trust;
export { isEvent, trust };

export class Event {
  #type; #bubbles; #cancelable; #composed; #time = now(); #trusted = false;
  #target = null; #current = null; #phase = 0;
  #prevented = false; #stopped = false; #ended = false; #passive = false; #busy = false;

  constructor(type, init = undefined) {
    need(arguments.length, 1, 'Event');
    const { bubbles, cancelable, composed } = dictionary(init, 'Event');
    this.#type = toText(type);
    this.#bubbles = Boolean(bubbles);
    this.#cancelable = Boolean(cancelable);
    this.#composed = Boolean(composed);
  }

  get type() { return this.#type; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#current; }
  get eventPhase() { return this.#phase; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get composed() { return this.#composed; }
  get defaultPrevented() { return this.#prevented; }
  get returnValue() { return !this.#prevented; }
  set returnValue(value) { if (!value) this.preventDefault(); }
  get cancelBubble() { return this.#stopped; }
  set cancelBubble(value) { if (value) this.#stopped = true; }
  get timeStamp() { return this.#time; }
  get isTrusted() { return this.#trusted; }
  composedPath() { return this.#current === null ? [] : [this.#current]; }
  stopPropagation() { this.#stopped = true; }
  stopImmediatePropagation() { this.#stopped = this.#ended = true; }
  preventDefault() { if (this.#cancelable && !this.#passive) this.#prevented = true; }

  initEvent(type, bubbles = false, cancelable = false) {
    need(arguments.length, 1, 'initEvent');
    if (this.#busy) return;
    this.#type = toText(type);
    this.#bubbles = Boolean(bubbles);
    this.#cancelable = Boolean(cancelable);
    this.#prevented = this.#stopped = this.#ended = false;
  }

  static {
    isEvent = (value) => isObject(value) && #type in value;
    dispatch = (event, target, listeners) => {
      if (!isEvent(event)) throw new TypeError('dispatchEvent: the argument is no Event');
      if (event.#busy) throw new DOMException('The event is already being dispatched', 'InvalidStateError');
      event.#busy = true;
      event.#target = event.#current = target;
      event.#phase = 2;
      const called = sliceArray(listeners);
      for (let i = 0; i < called.length && !event.#ended; i++) {
        const listener = called[i];
        if (listener.type !== event.#type || listener.removed) continue;
        if (listener.once) remove(listeners, listener);
        event.#passive = listener.passive;
        try {
          const { callback } = listener;
          if (typeof callback === 'function') call(callback, target, event);
          else {
            const { handleEvent } = callback;
            if (typeof handleEvent !== 'function') throw new TypeError('the listener has no handleEvent');
            call(handleEvent, callback, event);
          }
        } catch (error) {
          reportError(error);
        }
        event.#passive = false;
      }
      event.#busy = event.#stopped = event.#ended = false;
      event.#phase = 0;
      event.#current = null;
      return !event.#prevented;
    };
    trust = (event) => {
      event.#trusted = true;
      return event;
    };
  }
}
const call = Function.prototype.call.bind(Function.prototype.call);
const phases = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 };
for (const object of [Event, Event.prototype]) {
  for (const name of Object.keys(phases)) Object.defineProperty(object, name, { value: phases[name], enumerable: true });
}
idl(Event, 'Event');

export class CustomEvent extends Event {
  #detail;
  constructor(type, init = undefined) {
    super(type, init);
    this.#detail = init?.detail ?? null;
  }
  get detail() { return this.#detail; }
}
idl(CustomEvent, 'CustomEvent');

const remove = (listeners, listener) => {
  listener.removed = true;
  const at = indexOf(listeners, listener);
  if (at >= 0) splice(listeners, at, 1);
};

let listenersOf, dispatchTo;
export { dispatchTo };

export class EventTarget {
  #listeners = [];

  addEventListener(type, callback, options = undefined) {
    need(arguments.length, 2, 'addEventListener');
    const listeners = listenersOf(this), flags = isObject(options) ? options : undefined;
    const capture = Boolean(flags === undefined ? options : flags.capture);
    const once = Boolean(flags?.once), passive = Boolean(flags?.passive), signal = flags?.signal;
    if (signal !== undefined && !isSignal(signal)) throw new TypeError('addEventListener: signal is no AbortSignal');
    if (callback === null || callback === undefined) return;
    if (!isObject(callback)) throw new TypeError('addEventListener: the listener must be a function or an object');
    type = toText(type);
    if (signal?.aborted) return;
    for (let i = 0; i < listeners.length; i++) {
      const other = listeners[i];
      if (other.type === type && other.callback === callback && other.capture === capture) return;
    }
    const listener = { __proto__: null, type, callback, capture, once, passive, removed: false };
    push(listeners, listener);
    if (signal !== undefined) onAbort(signal, () => remove(listeners, listener));
  }

  removeEventListener(type, callback, options = undefined) {
    need(arguments.length, 2, 'removeEventListener');
    const listeners = listenersOf(this), capture = Boolean(isObject(options) ? options.capture : options);
    type = toText(type);
    for (let i = 0; i < listeners.length; i++) {
      const other = listeners[i];
      if (other.type === type && other.callback === callback && other.capture === capture) return void remove(listeners, other);
    }
  }

  dispatchEvent(event) {
    need(arguments.length, 1, 'dispatchEvent');
    return dispatch(event, this, listenersOf(this));
  }

  static {
    listenersOf = (target) => {
      // The methods are globals' in browsers; here a target is always named.
      if (!isObject(target) || !(#listeners in target)) throw new TypeError('not an EventTarget');
      return target.#listeners;
    };
    // For events of our own, whatever became of `dispatchEvent`.
    dispatchTo = (target, event) => dispatch(event, target, target.#listeners);
  }
}
idl(EventTarget, 'EventTarget');

/** Defines `on...` on a class of targets. */
export const handler = (type, name) => {
  const slots = new WeakMap(), { get, set } = WeakMap.prototype;
  Object.defineProperty(type.prototype, `on${name}`, {
    get() { return call(get, slots, this)?.callback ?? null; },
    set(value) {
      const listeners = listenersOf(this), old = call(get, slots, this);
      const callback = isObject(value) ? value : null;
      // Its place among the listeners is that of its first setting.
      if (old !== undefined && !old.removed && callback !== null) {
        old.inner = callback;
        old.callback = callback;
        return;
      }
      if (old !== undefined) remove(listeners, old);
      if (callback === null) return void call(set, slots, this, undefined);
      const listener = { __proto__: null, type: name, callback, capture: false, once: false, passive: false, removed: false };
      push(listeners, listener);
      call(set, slots, this, listener);
    },
    configurable: true,
    enumerable: true,
  });
};

let isSignal = () => false, onAbort;
/** Known once there are signals. */
export const signals = (is, subscribe) => { isSignal = is; onAbort = subscribe; };
