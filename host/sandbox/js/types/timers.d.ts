import promises from "timers/promises";
const own: {
  promises: typeof promises;
  setTimeout: typeof globalThis.setTimeout;
  setInterval: typeof globalThis.setInterval;
  setImmediate: typeof globalThis.setImmediate;
  clearTimeout: typeof globalThis.clearTimeout;
  clearInterval: typeof globalThis.clearInterval;
  clearImmediate: typeof globalThis.clearImmediate;
};
export { promises };
export const setTimeout: typeof globalThis.setTimeout;
export const setInterval: typeof globalThis.setInterval;
export const setImmediate: typeof globalThis.setImmediate;
export const clearTimeout: typeof globalThis.clearTimeout;
export const clearInterval: typeof globalThis.clearInterval;
export const clearImmediate: typeof globalThis.clearImmediate;
export default own;
