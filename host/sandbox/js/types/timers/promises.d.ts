export interface TimerOptions { signal?: AbortSignal; ref?: boolean }
export function setTimeout<T = void>(delay?: number, value?: T, options?: TimerOptions): Promise<T>;
export function setImmediate<T = void>(value?: T, options?: TimerOptions): Promise<T>;
export function setInterval<T = void>(delay?: number, value?: T, options?: TimerOptions): AsyncGenerator<T, void>;
export const scheduler: {
  wait(delay: number, options?: TimerOptions): Promise<void>;
  yield(): Promise<void>;
};
const promises: {
  setTimeout: typeof setTimeout; setImmediate: typeof setImmediate; setInterval: typeof setInterval; scheduler: typeof scheduler;
};
export default promises;
