/** A timer that was set: a number where one is asked for. */
export interface Timer {
  /** Whether an execution that waits for nothing else waits for it. */
  hasRef(): boolean;
  /** It does, as every timer at first. */
  ref(): this;
  /** It does not: the timer still comes due while something else is waited for. */
  unref(): this;
  [Symbol.toPrimitive](): number;
}
export interface Immediate extends Timer {}
export interface Timeout extends Timer {
  /** Sets it again, from now on. */
  refresh(): this;
  /** Clears it. */
  close(): this;
}
type Some = number | Timer | null | undefined;
/** `signal` ends the waiting, with an AbortError. With `ref: false` an execution does not wait for it alone. */
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
/** Calls back once, in `delay` milliseconds. */
export function setTimeout<T extends unknown[]>(callback: (...args: T) => void, delay?: number, ...args: T): Timeout;
/** Calls back every `delay` milliseconds. */
export function setInterval<T extends unknown[]>(callback: (...args: T) => void, delay?: number, ...args: T): Timeout;
/** Calls back when what is due now is done. */
export function setImmediate<T extends unknown[]>(callback: (...args: T) => void, ...args: T): Immediate;
/** Forgets what `setTimeout` set: its timer or number. */
export function clearTimeout(timer: Some): void;
/** Forgets what `setInterval` set. */
export function clearInterval(timer: Some): void;
/** Forgets what `setImmediate` set. */
export function clearImmediate(timer: Some): void;
const own: {
  promises: TimerPromises;
  setTimeout: typeof setTimeout;
  setInterval: typeof setInterval;
  setImmediate: typeof setImmediate;
  clearTimeout: typeof clearTimeout;
  clearInterval: typeof clearInterval;
  clearImmediate: typeof clearImmediate;
};
export default own;
