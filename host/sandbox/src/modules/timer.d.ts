/** An `AbortSignal`, or what looks like one. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
/** A promise of `value` in `ms` milliseconds; with a signal it may be rejected earlier, with an `AbortError`. */
export function sleep<T = undefined>(ms: number, value?: T, options?: { signal?: Signal }): Promise<T>;
/** Counts 0, 1, 2, ... one each `ms` milliseconds: `for await (const n of every(100, { times: 5 }))`. */
export function every(ms: number, options?: { times?: number; signal?: Signal }): AsyncGenerator<number, void, void>;
