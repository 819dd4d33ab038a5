export type Listener = (...args: any[]) => void;
export interface EventEmitterOptions { captureRejections?: boolean }
export interface StaticOptions { signal?: AbortSignal }
/** What is known of events: their names, and the arguments of their listeners. */
export type EventMap<T> = Record<keyof T, any[]>;
/** Of an emitter of which nothing was said. */
export type AnyEvents = Record<string | symbol, any[]>;
/** Events that every emitter may have. */
export type EventName<T> = keyof T | "error" | "newListener" | "removeListener" | typeof EventEmitter.errorMonitor;
export type EventArguments<T, K> = K extends keyof T ? T[K] : any[];
/** What Node's emitters are; `EventEmitter<{ data: [text: string] }>` holds names and arguments to what it says. */
class EventEmitter<T extends EventMap<T> = AnyEvents> {
  constructor(options?: EventEmitterOptions);
  static EventEmitter: typeof EventEmitter;
  static defaultMaxListeners: number;
  static captureRejections: boolean;
  static readonly captureRejectionSymbol: unique symbol;
  static readonly errorMonitor: unique symbol;
  /** Waits for the event, and answers with its arguments; rejects at an `error`. */
  static once(emitter: EventEmitter<any> | EventTarget, name: string | symbol, options?: StaticOptions): Promise<any[]>;
  /** The arguments of every event of that name, for `for await`. */
  static on(
    emitter: EventEmitter<any> | EventTarget, name: string | symbol, options?: StaticOptions & { close?: string[] },
  ): AsyncIterableIterator<any[]>;
  /** How many listeners there are. */
  static listenerCount(emitter: EventEmitter<any>, name: string | symbol): number;
  static getEventListeners(emitter: EventEmitter<any>, name: string | symbol): Listener[];
  static getMaxListeners(emitter: EventEmitter<any> | EventTarget): number;
  static setMaxListeners(n?: number, ...emitters: (EventEmitter<any> | EventTarget)[]): void;
  /** Calls the listener once, even if the signal has aborted. */
  static addAbortListener(signal: AbortSignal, listener: (event: Event) => void): object;
  addListener<K extends EventName<T>>(name: K, listener: (...args: EventArguments<T, K>) => void): this;
  on<K extends EventName<T>>(name: K, listener: (...args: EventArguments<T, K>) => void): this;
  once<K extends EventName<T>>(name: K, listener: (...args: EventArguments<T, K>) => void): this;
  prependListener<K extends EventName<T>>(name: K, listener: (...args: EventArguments<T, K>) => void): this;
  prependOnceListener<K extends EventName<T>>(name: K, listener: (...args: EventArguments<T, K>) => void): this;
  removeListener<K extends EventName<T>>(name: K, listener: (...args: EventArguments<T, K>) => void): this;
  off<K extends EventName<T>>(name: K, listener: (...args: EventArguments<T, K>) => void): this;
  removeAllListeners(name?: EventName<T>): this;
  emit<K extends EventName<T>>(name: K, ...args: EventArguments<T, K>): boolean;
  listenerCount(name: EventName<T>, listener?: Listener): number;
  listeners(name: EventName<T>): Listener[];
  rawListeners(name: EventName<T>): Listener[];
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
