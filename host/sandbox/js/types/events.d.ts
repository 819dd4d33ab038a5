export type Listener = (...args: any[]) => void;
export interface EventEmitterOptions { captureRejections?: boolean }
export interface StaticOptions { signal?: AbortSignal }
/** What Node's emitters are. */
class EventEmitter {
  constructor(options?: EventEmitterOptions);
  static EventEmitter: typeof EventEmitter;
  static defaultMaxListeners: number;
  static captureRejections: boolean;
  static readonly captureRejectionSymbol: unique symbol;
  static readonly errorMonitor: unique symbol;
  /** Waits for the event, and answers with its arguments; rejects at an `error`. */
  static once(emitter: EventEmitter | EventTarget, name: string | symbol, options?: StaticOptions): Promise<any[]>;
  /** The arguments of every event of that name, for `for await`. */
  static on(
    emitter: EventEmitter | EventTarget, name: string | symbol, options?: StaticOptions & { close?: string[] },
  ): AsyncIterableIterator<any[]>;
  /** How many listeners there are. */
  static listenerCount(emitter: EventEmitter, name: string | symbol): number;
  static getEventListeners(emitter: EventEmitter, name: string | symbol): Listener[];
  static getMaxListeners(emitter: EventEmitter | EventTarget): number;
  static setMaxListeners(n?: number, ...emitters: (EventEmitter | EventTarget)[]): void;
  /** Calls the listener once, even if the signal has aborted. */
  static addAbortListener(signal: AbortSignal, listener: (event: Event) => void): object;
  addListener(name: string | symbol, listener: Listener): this;
  on(name: string | symbol, listener: Listener): this;
  once(name: string | symbol, listener: Listener): this;
  prependListener(name: string | symbol, listener: Listener): this;
  prependOnceListener(name: string | symbol, listener: Listener): this;
  removeListener(name: string | symbol, listener: Listener): this;
  off(name: string | symbol, listener: Listener): this;
  removeAllListeners(name?: string | symbol): this;
  emit(name: string | symbol, ...args: any[]): boolean;
  listenerCount(name: string | symbol, listener?: Listener): number;
  listeners(name: string | symbol): Listener[];
  rawListeners(name: string | symbol): Listener[];
  eventNames(): (string | symbol)[];
  getMaxListeners(): number;
  setMaxListeners(n: number): this;
}
export { EventEmitter };
export const once: typeof EventEmitter.once;
export const on: typeof EventEmitter.on;
export const listenerCount: typeof EventEmitter.listenerCount;
export const getEventListeners: typeof EventEmitter.getEventListeners;
export const getMaxListeners: typeof EventEmitter.getMaxListeners;
export const setMaxListeners: typeof EventEmitter.setMaxListeners;
export const addAbortListener: typeof EventEmitter.addAbortListener;
export const captureRejectionSymbol: typeof EventEmitter.captureRejectionSymbol;
export const errorMonitor: typeof EventEmitter.errorMonitor;
export const defaultMaxListeners: number;
export default EventEmitter;
