/** A key with what is stored under it. A version is a number that grows with every change and never comes again. */
export interface Entry<T = any> { key: string; value: T; version: number; expiresAt: Date | null }
/** `ifVersion`: only if the key has that version; null: only if it is absent. */
export interface Condition { ifVersion?: number | null }
/** `ttl`: milliseconds until the key is gone. */
export interface SetOptions extends Condition { ttl?: number }
/** What is stored under a key: a JSON value or a Uint8Array; undefined when it is absent or has expired. */
export function get<T = any>(key: string): Promise<T | undefined>;
/** The same with its version. */
export function getEntry<T = any>(key: string): Promise<Entry<T> | undefined>;
/** Stores a JSON value or a Uint8Array; its version, once it will outlive the server. An Error ECONFLICT where `ifVersion` does not hold. */
export function set(key: string, value: any, options?: SetOptions): Promise<number>;
/** Compare and swap: stores only if the key has that version (null: is absent); whether it did. */
export function cas(key: string, version: number | null, value: any, options?: { ttl?: number }): Promise<boolean>;
function remove(key: string, options?: Condition): Promise<boolean>;
/** Removes a key; whether it was there and `ifVersion` held. */
export { remove as delete };
/** Entries whose keys begin with the prefix, in the order of their bytes; 100 unless said, 1000 at most. */
export function list<T = any>(
  options?: string | { prefix?: string; limit?: number; cursor?: string | null },
): Promise<{ entries: Entry<T>[]; cursor: string | null }>;
/** All of them, page by page. */
export function entries<T = any>(prefix?: string): AsyncIterableIterator<Entry<T>>;
/** Adds to a number, which is 0 where there is nothing; the sum. It keeps its expiry. */
export function increment(key: string, by?: number): Promise<number>;
