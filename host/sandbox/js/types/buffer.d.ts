export type BufferEncoding =
  | "ascii" | "utf8" | "utf-8" | "utf16le" | "utf-16le" | "ucs2" | "ucs-2" | "base64" | "base64url" | "latin1" | "binary" | "hex";
/** Bytes, with Node's methods on top of what every Uint8Array has. */
export interface Buffer extends Uint8Array<ArrayBuffer> {
  toString(encoding?: BufferEncoding, start?: number, end?: number): string;
  toJSON(): { type: "Buffer"; data: number[] };
  equals(other: Uint8Array): boolean;
  compare(other: Uint8Array, targetStart?: number, targetEnd?: number, sourceStart?: number, sourceEnd?: number): -1 | 0 | 1;
  copy(target: Uint8Array, targetStart?: number, sourceStart?: number, sourceEnd?: number): number;
  slice(start?: number, end?: number): Buffer;
  subarray(start?: number, end?: number): Buffer;
  write(text: string, encoding?: BufferEncoding): number;
  write(text: string, offset: number, encoding?: BufferEncoding): number;
  write(text: string, offset: number, length: number, encoding?: BufferEncoding): number;
  fill(value: any, offset?: any, end?: any, encoding?: BufferEncoding): this;
  indexOf(value: any, byteOffset?: any, encoding?: BufferEncoding): number;
  lastIndexOf(value: any, byteOffset?: any, encoding?: BufferEncoding): number;
  includes(value: any, byteOffset?: any, encoding?: BufferEncoding): boolean;
  swap16(): this;
  swap32(): this;
  swap64(): this;
  readUInt8(offset?: number): number;
  readUInt16LE(offset?: number): number;
  readUInt16BE(offset?: number): number;
  readUInt32LE(offset?: number): number;
  readUInt32BE(offset?: number): number;
  readUIntLE(offset: number, byteLength: number): number;
  readUIntBE(offset: number, byteLength: number): number;
  readInt8(offset?: number): number;
  readInt16LE(offset?: number): number;
  readInt16BE(offset?: number): number;
  readInt32LE(offset?: number): number;
  readInt32BE(offset?: number): number;
  readIntLE(offset: number, byteLength: number): number;
  readIntBE(offset: number, byteLength: number): number;
  readBigUInt64LE(offset?: number): bigint;
  readBigUInt64BE(offset?: number): bigint;
  readBigInt64LE(offset?: number): bigint;
  readBigInt64BE(offset?: number): bigint;
  readFloatLE(offset?: number): number;
  readFloatBE(offset?: number): number;
  readDoubleLE(offset?: number): number;
  readDoubleBE(offset?: number): number;
  writeUInt8(value: number, offset?: number): number;
  writeUInt16LE(value: number, offset?: number): number;
  writeUInt16BE(value: number, offset?: number): number;
  writeUInt32LE(value: number, offset?: number): number;
  writeUInt32BE(value: number, offset?: number): number;
  writeUIntLE(value: number, offset: number, byteLength: number): number;
  writeUIntBE(value: number, offset: number, byteLength: number): number;
  writeInt8(value: number, offset?: number): number;
  writeInt16LE(value: number, offset?: number): number;
  writeInt16BE(value: number, offset?: number): number;
  writeInt32LE(value: number, offset?: number): number;
  writeInt32BE(value: number, offset?: number): number;
  writeIntLE(value: number, offset: number, byteLength: number): number;
  writeIntBE(value: number, offset: number, byteLength: number): number;
  writeBigUInt64LE(value: bigint, offset?: number): number;
  writeBigUInt64BE(value: bigint, offset?: number): number;
  writeBigInt64LE(value: bigint, offset?: number): number;
  writeBigInt64BE(value: bigint, offset?: number): number;
  writeFloatLE(value: number, offset?: number): number;
  writeFloatBE(value: number, offset?: number): number;
  writeDoubleLE(value: number, offset?: number): number;
  writeDoubleBE(value: number, offset?: number): number;
}
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
