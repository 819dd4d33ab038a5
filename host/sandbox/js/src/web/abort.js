// AbortController and AbortSignal.
import {
  DOMException, Set, Symbol, TypeError, idl, isObject, natives, need, push, setAdd, setDelete, setEach,
} from './primordials.js';
import { Event, EventTarget, dispatchTo, handler, signals, trust } from './events.js';

const { setTimeout } = globalThis, illegal = Symbol('illegal');
let make, abort, onAbort, isController, isSignal;
export { onAbort, isController, isSignal };

export class AbortSignal extends EventTarget {
  #aborted = false; #reason = undefined;
  /** What the platform itself does on an abort, before any listener is told. */
  #steps = [];
  #sources = undefined; #dependents = undefined;

  constructor(key) {
    if (key !== illegal) throw new TypeError('Illegal constructor');
    super();
  }

  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }

  static abort(reason = undefined) {
    const signal = make();
    signal.#aborted = true;
    signal.#reason = orAbortError(reason);
    return signal;
  }

  static timeout(milliseconds) {
    need(arguments.length, 1, 'AbortSignal.timeout');
    const wait = Number(milliseconds);
    if (!(wait >= 0 && wait <= Number.MAX_SAFE_INTEGER)) {
      throw new TypeError('AbortSignal.timeout: the time is no number of milliseconds');
    }
    const signal = make();
    const timer = setTimeout(() => abort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), wait);
    // Nobody waits for the end of what is over in time.
    natives.holdTimer(timer, false);
    return signal;
  }

  static any(list) {
    need(arguments.length, 1, 'AbortSignal.any');
    const given = [...list], signal = make();
    for (let i = 0; i < given.length; i++) {
      if (!isSignal(given[i])) throw new TypeError('AbortSignal.any: not all of them are AbortSignals');
    }
    for (let i = 0; i < given.length; i++) {
      if (!given[i].#aborted) continue;
      signal.#aborted = true;
      signal.#reason = given[i].#reason;
      return signal;
    }
    // Only signals that abort by themselves are sources, so that one abort reaches everything in one step.
    signal.#sources = new Set();
    const follow = (source) => {
      setAdd(signal.#sources, source);
      setAdd((source.#dependents ??= new Set()), signal);
    };
    for (let i = 0; i < given.length; i++) {
      if (given[i].#sources === undefined) follow(given[i]);
      else setEach(given[i].#sources, follow);
    }
    return signal;
  }

  static {
    make = () => new AbortSignal(illegal);
    isSignal = (value) => isObject(value) && #aborted in value;
    onAbort = (signal, step) => { push(signal.#steps, step); };
    abort = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = orAbortError(reason);
      const told = [signal];
      if (signal.#dependents !== undefined) {
        setEach(signal.#dependents, (dependent) => {
          if (dependent.#aborted) return;
          dependent.#aborted = true;
          dependent.#reason = signal.#reason;
          push(told, dependent);
        });
      }
      for (let i = 0; i < told.length; i++) {
        const one = told[i], steps = one.#steps;
        one.#steps = [];
        if (one.#sources !== undefined) setEach(one.#sources, (source) => source.#dependents !== undefined && setDelete(source.#dependents, one));
        one.#dependents = undefined;
        for (let j = 0; j < steps.length; j++) steps[j]();
        dispatchTo(one, trust(new Event('abort')));
      }
    };
  }
}
const orAbortError = (reason) => (reason === undefined
  ? new DOMException('This operation was aborted', 'AbortError')
  : reason);
handler(AbortSignal, 'abort');
idl(AbortSignal, 'AbortSignal');
signals(isSignal, onAbort);

export class AbortController {
  #signal = make();
  get signal() { return this.#signal; }
  abort(reason = undefined) { abort(this.#signal, reason); }
  static {
    isController = (value) => isObject(value) && #signal in value;
  }
}
idl(AbortController, 'AbortController');

/** A signal that follows another, for a Request. */
export const following = (signal) => (signal === undefined ? make() : anyOf([signal]));
const anyOf = AbortSignal.any;
