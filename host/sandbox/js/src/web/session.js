// What a script can know and want of the session that it lives in.
import { Map, Promise, TypeError, mapDelete, mapEach, mapSet, natives, toText } from './primordials.js';
import { reportError } from './events.js';

const { Error, JSON: { parse } } = globalThis;

/** Events that any number of functions hear, and such that one function answers. */
const told = { __proto__: null, resume: true, fork: true, restore: true };
const asked = { __proto__: null, save: true, load: true };
const listeners = { __proto__: null };

/** Called by the host. What a listener throws is reported, and keeps no other from being called. */
const dispatch = (event, data) => {
  const functions = listeners[event];
  if (functions === undefined) return undefined;
  const value = data === undefined ? undefined : parse(data);
  if (event in asked) {
    let answer;
    mapEach(functions, (_, listener) => { answer = listener(value); });
    return answer;
  }
  mapEach(functions, (_, listener) => {
    try {
      listener({ type: event });
    } catch (error) {
      reportError(error);
    }
  });
  return undefined;
};

const check = (event, listener) => {
  const name = toText(event);
  if (!(name in told) && !(name in asked)) {
    throw new TypeError(`session.on: there is no event "${name}": resume, fork, restore, save and load are`);
  }
  if (typeof listener !== 'function') throw new TypeError('session.on: argument 2 (listener): expected a function');
  return name;
};

class Session {
  /** Calls `listener` when the session was brought back (`resume`), copied (`fork`) or rewound (`restore`). The last listener of `save` and of `load` carries data from one image to the next. */
  on(event, listener) {
    const name = check(event, listener);
    if (!(name in listeners) || name in asked) listeners[name] = new Map();
    mapSet(listeners[name], listener, true);
    natives.onWake(dispatch);
    return this;
  }

  off(event, listener) {
    const name = check(event, listener);
    if (name in listeners) mapDelete(listeners[name], listener);
    return this;
  }

  /** Stores the heap as it is when the script next waits; the promise tells the checkpoint's id, and again when the session is rewound to it. */
  checkpoint() {
    return new Promise((resolve, reject) => {
      natives.checkpoint((text, failed) => {
        if (!failed) return resolve(parse(text));
        const error = new Error(text);
        error.code = 'CHECKPOINT_FAILED';
        return reject(error);
      });
    });
  }
}

export const session = new Session();
