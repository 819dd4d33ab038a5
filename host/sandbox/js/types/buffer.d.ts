export type BufferEncoding = globalThis.BufferEncoding;
export type Buffer = globalThis.Buffer;
export const Buffer: {
  prototype: Buffer;
  poolSize: number;
  alloc(size: number, fill?: string | Uint8Array | number, encoding?: BufferEncoding): Buffer;
  allocUnsafe(size: number): Buffer;
  allocUnsafeSlow(size: number): Buffer;
  from(text: string, encoding?: BufferEncoding): Buffer;
  from(buffer: ArrayBuffer, byteOffset?: number, length?: number): Buffer;
  from(data: Uint8Array | readonly number[] | Iterable<number> | { type: "Buffer"; data: number[] }): Buffer;
  of(...bytes: number[]): Buffer;
  concat(list: readonly Uint8Array[], totalLength?: number): Buffer;
  copyBytesFrom(view: ArrayBufferView, offset?: number, length?: number): Buffer;
  compare(a: Uint8Array, b: Uint8Array): -1 | 0 | 1;
  byteLength(value: string | ArrayBufferView | ArrayBuffer, encoding?: BufferEncoding): number;
  isBuffer(value: unknown): value is Buffer;
  isEncoding(encoding: string): encoding is BufferEncoding;
};
/** How long a Buffer and a string can be. */
export const constants: { MAX_LENGTH: number; MAX_STRING_LENGTH: number };
export const kMaxLength: number;
export const kStringMaxLength: number;
/** How many bytes of a Buffer are shown. */
export const INSPECT_MAX_BYTES: number;
/** The same as `Buffer.allocUnsafeSlow`, which it made way for. */
export function SlowBuffer(size: number): Buffer;
/** Whether the bytes are valid UTF-8. */
export function isUtf8(input: ArrayBuffer | ArrayBufferView): boolean;
/** Whether all bytes are below 128. */
export function isAscii(input: ArrayBuffer | ArrayBufferView): boolean;
/** The bytes of the same text in another encoding. */
export function transcode(source: Uint8Array, from: BufferEncoding, to: BufferEncoding): Buffer;
export const atob: typeof globalThis.atob;
export const btoa: typeof globalThis.btoa;
export const Blob: typeof globalThis.Blob;
export const File: typeof globalThis.File;
const own: {
  Buffer: typeof Buffer; SlowBuffer: typeof SlowBuffer; constants: typeof constants; kMaxLength: number; kStringMaxLength: number;
  INSPECT_MAX_BYTES: number; isUtf8: typeof isUtf8; isAscii: typeof isAscii; transcode: typeof transcode;
  atob: typeof globalThis.atob; btoa: typeof globalThis.btoa; Blob: typeof globalThis.Blob; File: typeof globalThis.File;
};
export default own;
