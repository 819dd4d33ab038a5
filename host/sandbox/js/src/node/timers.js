// node:timers: the globals, with objects for numbers as in Node.
import promises, { promisified } from 'node:timers/promises';

const { setTimeout: later, setInterval: often, setImmediate: soon, clearTimeout, clearInterval, clearImmediate } = globalThis;
const { holdTimer } = globalThis.__web;
let make;

/** A timer that was set. It is a number where one is asked for. */
class Timer {
  #set; #ticket; #holds = true;
  constructor(set) {
    this.#set = set;
    this.#ticket = set();
  }
  ref() { return this.#hold(true); }
  unref() { return this.#hold(false); }
  hasRef() { return this.#holds; }
  [Symbol.toPrimitive]() { return this.#ticket; }
  #hold(holds) {
    this.#holds = holds;
    holdTimer(this.#ticket, holds);
    return this;
  }
  static {
    make = (Type, set, args) => new Type(() => set(...args));
  }
  static renew(timer) {
    clearTimeout(timer.#ticket);
    timer.#ticket = timer.#set();
    return timer.#hold(timer.#holds);
  }
}
const { renew } = Timer;
delete Timer.renew;
class Timeout extends Timer {
  refresh() { return renew(this); }
  close() {
    clearTimeout(this);
    return this;
  }
  [Symbol.dispose ?? Symbol.for('nodejs.dispose')]() { clearTimeout(this); }
}
class Immediate extends Timer {
  [Symbol.dispose ?? Symbol.for('nodejs.dispose')]() { clearImmediate(this); }
}

function setTimeout(callback, delay, ...args) { return make(Timeout, later, [callback, delay ?? 1, ...args]); }
function setInterval(callback, delay, ...args) { return make(Timeout, often, [callback, delay ?? 1, ...args]); }
function setImmediate(callback, ...args) { return make(Immediate, soon, [callback, ...args]); }
promisified({ setTimeout, setImmediate });
export { promises, setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate };
export default { promises, setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate };
