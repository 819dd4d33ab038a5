/** The value of a name; undefined when it is not granted, or not set. */
export function get(name: string): string | undefined;
/** Whether a name has a value. */
export function has(name: string): boolean;
/** Every name that has a value: an object that can't be changed. */
export function all(): Readonly<Record<string, string>>;
const env: Readonly<{ get: typeof get; has: typeof has; all: typeof all }>;
export default env;
