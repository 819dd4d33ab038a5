export type Data = string | ArrayBufferView | ArrayBuffer;
export type TextEncoding = "hex" | "base64" | "base64url" | "latin1" | "binary" | "ascii" | "utf8";
export type InputEncoding = TextEncoding | "utf16le" | "ucs2";
/** A hash that is being made. */
export class Hash {
  update(data: string | ArrayBufferView, inputEncoding?: InputEncoding): this;
  digest(): Buffer;
  digest(encoding: TextEncoding): string;
  /** Another, from where this one is. */
  copy(): Hash;
}
/** An HMAC that is being made. */
export class Hmac {
  update(data: string | ArrayBufferView, inputEncoding?: InputEncoding): this;
  digest(): Buffer;
  digest(encoding: TextEncoding): string;
}
export type Callback<T> = (error: Error | null, value: T) => void;
/** Begins a hash: md5, sha1, sha256, sha512, sha3-256, ... */
export function createHash(algorithm: string, options?: { outputLength?: number }): Hash;
/** Begins an HMAC. */
export function createHmac(algorithm: string, key: Data, options?: { encoding?: InputEncoding }): Hmac;
/** The names of hashes. */
export function getHashes(): string[];
/** A hash of what is at hand: in hex unless said otherwise. */
export function hash(algorithm: string, data: string | ArrayBufferView, outputEncoding?: TextEncoding): string;
export function hash(algorithm: string, data: string | ArrayBufferView, outputEncoding: "buffer"): Buffer;
/** Random bytes. */
export function randomBytes(size: number): Buffer;
export function randomBytes(size: number, callback: Callback<Buffer>): void;
/** Fills with random bytes. */
export function randomFillSync<T extends ArrayBufferView | ArrayBuffer>(buffer: T, offset?: number, size?: number): T;
/** As `randomFillSync`; a callback as the last argument is called with the buffer, without one it answers a promise. */
export function randomFill<T extends ArrayBufferView | ArrayBuffer>(buffer: T, offset?: number, size?: number): Promise<T>;
export function randomFill<T extends ArrayBufferView | ArrayBuffer>(buffer: T, callback: Callback<T>): void;
export function randomFill<T extends ArrayBufferView | ArrayBuffer>(
  buffer: T, offset: number, callback: Callback<T>,
): void;
export function randomFill<T extends ArrayBufferView | ArrayBuffer>(
  buffer: T, offset: number, size: number, callback: Callback<T>,
): void;
/** A random integer of `min <= n < max`. */
export function randomInt(max: number): number;
export function randomInt(min: number, max: number): number;
export function randomInt(min: number, max: number, callback: Callback<number>): void;
/** A random UUID, version 4. */
export function randomUUID(options?: { disableEntropyCache?: boolean }): string;
/** Fills an array of integers, of at most 65,536 bytes. */
export function getRandomValues<T extends ArrayBufferView>(array: T): T;
/** Whether both are the same, in a time that does not tell where they differ. */
export function timingSafeEqual(a: ArrayBufferView | ArrayBuffer, b: ArrayBufferView | ArrayBuffer): boolean;
/** PBKDF2 with HMAC. */
export function pbkdf2Sync(password: Data, salt: Data, iterations: number, keylen: number, digest: string): Buffer;
/** As `pbkdf2Sync`, for a callback or as a promise. `keylen` is 1 MiB at most: more is `ERR_OUT_OF_RANGE`. */
export function pbkdf2(password: Data, salt: Data, iterations: number, keylen: number, digest: string): Promise<Buffer>;
export function pbkdf2(
  password: Data, salt: Data, iterations: number, keylen: number, digest: string, callback: Callback<Buffer>,
): void;
export interface ScryptOptions {
  N?: number; cost?: number; r?: number; blockSize?: number; p?: number; parallelization?: number; maxmem?: number;
}
/** scrypt. */
export function scryptSync(password: Data, salt: Data, keylen: number, options?: ScryptOptions): Buffer;
/**
 * As `scryptSync`, for a callback or as a promise. N is 16,384, r 8 and p 1 unless said; `maxmem`, 32 MiB unless said,
 * bounds them, and so does the module: beyond is `ERR_CRYPTO_INVALID_SCRYPT_PARAMS`.
 */
export function scrypt(password: Data, salt: Data, keylen: number, options?: ScryptOptions): Promise<Buffer>;
export function scrypt(password: Data, salt: Data, keylen: number, callback: Callback<Buffer>): void;
export function scrypt(
  password: Data, salt: Data, keylen: number, options: ScryptOptions, callback: Callback<Buffer>,
): void;
/** HKDF with HMAC. */
export function hkdfSync(digest: string, ikm: Data, salt: Data, info: Data, keylen: number): ArrayBuffer;
/**
 * As `hkdfSync`, for a callback or as a promise. At most 255 times the digest's length: more is
 * `ERR_CRYPTO_INVALID_KEYLEN`.
 */
export function hkdf(digest: string, ikm: Data, salt: Data, info: Data, keylen: number): Promise<ArrayBuffer>;
export function hkdf(
  digest: string, ikm: Data, salt: Data, info: Data, keylen: number, callback: Callback<ArrayBuffer>,
): void;
/** A key of `subtle`. */
export class CryptoKey {
  private constructor();
  readonly type: "secret" | "private" | "public";
  readonly algorithm: { readonly name: string };
  readonly extractable: boolean;
  readonly usages: readonly string[];
}
export type Algorithm = string | { name: string; [parameter: string]: unknown };
/** The Web Cryptography API: SHA, HMAC, ECDSA on P-256, Ed25519, PBKDF2, HKDF. */
export const subtle: {
  digest(algorithm: Algorithm, data: ArrayBufferView | ArrayBuffer): Promise<ArrayBuffer>;
  importKey(
    format: "raw" | "jwk" | "pkcs8" | "spki", keyData: unknown, algorithm: Algorithm, extractable: boolean, keyUsages: string[],
  ): Promise<CryptoKey>;
  exportKey(format: "raw" | "jwk" | "pkcs8" | "spki", key: CryptoKey): Promise<any>;
  generateKey(algorithm: Algorithm, extractable: boolean, keyUsages: string[]): Promise<any>;
  sign(algorithm: Algorithm, key: CryptoKey, data: ArrayBufferView | ArrayBuffer): Promise<ArrayBuffer>;
  verify(
    algorithm: Algorithm, key: CryptoKey, signature: ArrayBufferView | ArrayBuffer, data: ArrayBufferView | ArrayBuffer,
  ): Promise<boolean>;
  deriveBits(algorithm: Algorithm, key: CryptoKey, length: number): Promise<ArrayBuffer>;
};
export const webcrypto: {
  readonly subtle: typeof subtle;
  readonly getRandomValues: typeof getRandomValues;
  readonly randomUUID: typeof randomUUID;
};
global {
  interface Crypto {
    /** Of the module `crypto`. */
    readonly subtle: typeof subtle;
  }
}
