/** `signal` ends the waiting, with an AbortError. `ref` changes nothing here. */
export interface TimerOptions { signal?: AbortSignal; ref?: boolean }
/** Timers as promises: `timers/promises` is the same. */
export interface TimerPromises {
  /** Waits for `delay` milliseconds, then answers with `value`. */
  setTimeout<T = void>(delay?: number, value?: T, options?: TimerOptions): Promise<T>;
  /** Answers with `value` when what is due now is done. */
  setImmediate<T = void>(value?: T, options?: TimerOptions): Promise<T>;
  /** `value`, again and again every `delay` milliseconds. */
  setInterval<T = void>(delay?: number, value?: T, options?: TimerOptions): AsyncGenerator<T, void>;
  readonly scheduler: {
    /** Waits for `delay` milliseconds. */
    wait(delay: number, options?: TimerOptions): Promise<void>;
    /** Lets go on what is due now. */
    yield(): Promise<void>;
  };
}
export const promises: TimerPromises;
export const setTimeout: typeof globalThis.setTimeout;
export const setInterval: typeof globalThis.setInterval;
export const setImmediate: typeof globalThis.setImmediate;
export const clearTimeout: typeof globalThis.clearTimeout;
export const clearInterval: typeof globalThis.clearInterval;
export const clearImmediate: typeof globalThis.clearImmediate;
const own: {
  promises: TimerPromises;
  setTimeout: typeof globalThis.setTimeout;
  setInterval: typeof globalThis.setInterval;
  setImmediate: typeof globalThis.setImmediate;
  clearTimeout: typeof globalThis.clearTimeout;
  clearInterval: typeof globalThis.clearInterval;
  clearImmediate: typeof globalThis.clearImmediate;
};
export default own;
