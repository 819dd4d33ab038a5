export type Data = string | ArrayBufferView | ArrayBuffer;
export interface Options {
  /** 0 to 9, or -1 for what is usual. */
  level?: number;
  /** Longest result, in bytes; past it an Error with the code `ERR_BUFFER_TOO_LARGE`. */
  maxOutputLength?: number;
  /** Of what reads: any but `constants.Z_FINISH` answers what there is of data that ends early. */
  finishFlush?: number;
}
export interface BrotliOptions {
  /** 0 to 11. */
  quality?: number;
  params?: Record<number, number>;
  maxOutputLength?: number;
  /** Of what reads: any but `constants.BROTLI_OPERATION_FINISH` answers what there is of data that ends early. */
  finishFlush?: number;
}
export type Callback = (error: Error | null, result: Buffer) => void;
export const constants: Readonly<Record<string, number>>;
export const Z_NO_FLUSH: number, Z_PARTIAL_FLUSH: number, Z_SYNC_FLUSH: number, Z_FULL_FLUSH: number, Z_FINISH: number, Z_BLOCK: number;
export const Z_NO_COMPRESSION: number, Z_BEST_SPEED: number, Z_BEST_COMPRESSION: number, Z_DEFAULT_COMPRESSION: number;
/** The CRC-32 of the data, going on from another. */
export function crc32(data: Data, value?: number): number;
/** Compresses as gzip. */
export function gzipSync(buffer: Data, options?: Options): Buffer;
/** As `gzipSync`, for a callback; without one it answers a promise, which Node's does not. */
export function gzip(buffer: Data, options?: Options): Promise<Buffer>;
export function gzip(buffer: Data, callback: Callback): void;
export function gzip(buffer: Data, options: Options, callback: Callback): void;
/** What was compressed as gzip. */
export function gunzipSync(buffer: Data, options?: Options): Buffer;
/**
 * As `gunzipSync`, for a callback or as a promise. Fails with `Z_BUF_ERROR` for data that ends early, and
 * `Z_DATA_ERROR` for what is wrong.
 */
export function gunzip(buffer: Data, options?: Options): Promise<Buffer>;
export function gunzip(buffer: Data, callback: Callback): void;
export function gunzip(buffer: Data, options: Options, callback: Callback): void;
/** Compresses as zlib. */
export function deflateSync(buffer: Data, options?: Options): Buffer;
/** As `deflateSync`, for a callback or as a promise. */
export function deflate(buffer: Data, options?: Options): Promise<Buffer>;
export function deflate(buffer: Data, callback: Callback): void;
export function deflate(buffer: Data, options: Options, callback: Callback): void;
/** What was compressed as zlib. */
export function inflateSync(buffer: Data, options?: Options): Buffer;
/** As `inflateSync`, for a callback or as a promise. Fails as `gunzip` does. */
export function inflate(buffer: Data, options?: Options): Promise<Buffer>;
export function inflate(buffer: Data, callback: Callback): void;
export function inflate(buffer: Data, options: Options, callback: Callback): void;
/** Compresses without a header. */
export function deflateRawSync(buffer: Data, options?: Options): Buffer;
/** As `deflateRawSync`, for a callback or as a promise. */
export function deflateRaw(buffer: Data, options?: Options): Promise<Buffer>;
export function deflateRaw(buffer: Data, callback: Callback): void;
export function deflateRaw(buffer: Data, options: Options, callback: Callback): void;
/** What was compressed without a header. */
export function inflateRawSync(buffer: Data, options?: Options): Buffer;
/** As `inflateRawSync`, for a callback or as a promise. Without a checksum, wrong data may go unnoticed. */
export function inflateRaw(buffer: Data, options?: Options): Promise<Buffer>;
export function inflateRaw(buffer: Data, callback: Callback): void;
export function inflateRaw(buffer: Data, options: Options, callback: Callback): void;
/** What was compressed as gzip or zlib. */
export function unzipSync(buffer: Data, options?: Options): Buffer;
/** As `unzipSync`, for a callback or as a promise: the header decides which of both it is. */
export function unzip(buffer: Data, options?: Options): Promise<Buffer>;
export function unzip(buffer: Data, callback: Callback): void;
export function unzip(buffer: Data, options: Options, callback: Callback): void;
/** Compresses as brotli. */
export function brotliCompressSync(buffer: Data, options?: BrotliOptions): Buffer;
/**
 * As `brotliCompressSync`, for a callback or as a promise. The quality is 11 unless said: small, and slow for much
 * data.
 */
export function brotliCompress(buffer: Data, options?: BrotliOptions): Promise<Buffer>;
export function brotliCompress(buffer: Data, callback: Callback): void;
export function brotliCompress(buffer: Data, options: BrotliOptions, callback: Callback): void;
/** What was compressed as brotli. */
export function brotliDecompressSync(buffer: Data, options?: BrotliOptions): Buffer;
/** As `brotliDecompressSync`, for a callback or as a promise. Windows of more than 24 bits are `Z_DATA_ERROR`. */
export function brotliDecompress(buffer: Data, options?: BrotliOptions): Promise<Buffer>;
export function brotliDecompress(buffer: Data, callback: Callback): void;
export function brotliDecompress(buffer: Data, options: BrotliOptions, callback: Callback): void;
