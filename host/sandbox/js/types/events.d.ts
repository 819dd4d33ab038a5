export type Listener = (...args: any[]) => void;
export interface EventEmitterOptions { captureRejections?: boolean }
export interface StaticOptions { signal?: AbortSignal }
class EventEmitter {
  constructor(options?: EventEmitterOptions);
  static EventEmitter: typeof EventEmitter;
  static defaultMaxListeners: number;
  static captureRejections: boolean;
  static readonly captureRejectionSymbol: unique symbol;
  static readonly errorMonitor: unique symbol;
  static once(emitter: EventEmitter | EventTarget, name: string | symbol, options?: StaticOptions): Promise<any[]>;
  static on(
    emitter: EventEmitter | EventTarget, name: string | symbol, options?: StaticOptions & { close?: string[] },
  ): AsyncIterableIterator<any[]>;
  static listenerCount(emitter: EventEmitter, name: string | symbol): number;
  static getEventListeners(emitter: EventEmitter, name: string | symbol): Listener[];
  static getMaxListeners(emitter: EventEmitter | EventTarget): number;
  static setMaxListeners(n?: number, ...emitters: (EventEmitter | EventTarget)[]): void;
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
