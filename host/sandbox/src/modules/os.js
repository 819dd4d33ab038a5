// Constants: what a script may assume of the place it runs in, and nothing of the machine beneath it.
export const EOL = "\n";
export const devNull = "/dev/null";
export function arch() { return "wasm32"; }
export function machine() { return "wasm32"; }
export function platform() { return "linux"; }
export function type() { return "Linux"; }
export function endianness() { return "LE"; }
export function availableParallelism() { return 1; }
