import host from "host:zlib";
import { Buffer } from "node:buffer";

const LENGTH_MAX = 4294967295;
const EXPECTED = "of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer";
const { setPrototypeOf } = Object, { prototype } = Buffer;
const bytes = (value) => setPrototypeOf(value, prototype);

function piece(value) {
  if (typeof value === "string") return { tag: "text", val: value };
  if (value instanceof Uint8Array) return { tag: "bytes", val: value };
  if (ArrayBuffer.isView(value)) return { tag: "bytes", val: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) };
  if (value instanceof ArrayBuffer) return { tag: "bytes", val: new Uint8Array(value) };
  throw wrongType("buffer", EXPECTED, value);
}
export const Z_NO_FLUSH = 0, Z_PARTIAL_FLUSH = 1, Z_SYNC_FLUSH = 2, Z_FULL_FLUSH = 3, Z_FINISH = 4, Z_BLOCK = 5;
export const Z_NO_COMPRESSION = 0, Z_BEST_SPEED = 1, Z_BEST_COMPRESSION = 9, Z_DEFAULT_COMPRESSION = -1;
export const constants = Object.freeze({
  Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_FINISH, Z_BLOCK,
  BROTLI_OPERATION_PROCESS: 0, BROTLI_OPERATION_FLUSH: 1, BROTLI_OPERATION_FINISH: 2, BROTLI_OPERATION_EMIT_METADATA: 3,
  Z_NO_COMPRESSION: 0, Z_BEST_SPEED: 1, Z_BEST_COMPRESSION: 9, Z_DEFAULT_COMPRESSION: -1, Z_MIN_LEVEL: -1, Z_MAX_LEVEL: 9,
  Z_DEFAULT_LEVEL: -1, BROTLI_PARAM_QUALITY: 1, BROTLI_MIN_QUALITY: 0, BROTLI_MAX_QUALITY: 11, BROTLI_DEFAULT_QUALITY: 11,
});
function lengthOf({ maxOutputLength }) {
  if (maxOutputLength === undefined) return LENGTH_MAX;
  if (typeof maxOutputLength !== "number") throw wrongType("options.maxOutputLength", "of type number", maxOutputLength);
  if (!(maxOutputLength >= 1 && maxOutputLength <= LENGTH_MAX + 1)) {
    throw outOfRange("options.maxOutputLength", ">= 1 and <= 4294967296", maxOutputLength);
  }
  return Math.min(Math.floor(maxOutputLength), LENGTH_MAX);
}
function levelOf({ level }, otherwise) {
  if (level === undefined || Number.isNaN(level)) return otherwise;
  if (typeof level !== "number") throw wrongType("options.level", "of type number", level);
  if (!(level >= -1 && level <= 9)) throw outOfRange("options.level", ">= -1 and <= 9", level);
  return level < 0 ? otherwise : Math.floor(level);
}
function qualityOf({ params, quality = params?.[constants.BROTLI_PARAM_QUALITY] }) {
  if (quality === undefined) return constants.BROTLI_DEFAULT_QUALITY;
  if (typeof quality !== "number") throw wrongType("options.params[1]", "of type number", quality);
  // As in Node, a quality that there is not is the nearest that there is.
  return Math.min(Math.max(Math.floor(quality) || 0, 0), 11);
}
// Whether what is missing at the end is an error: unless it is asked for what there is.
function endsOf({ finishFlush }, format) {
  const [finish, max] = format === "brotli" ? [constants.BROTLI_OPERATION_FINISH, 3] : [Z_FINISH, Z_BLOCK];
  if (finishFlush === undefined || Number.isNaN(finishFlush)) return true;
  if (typeof finishFlush !== "number") throw wrongType("options.finishFlush", "of type number", finishFlush);
  if (!(finishFlush >= 0 && finishFlush <= max)) throw outOfRange("options.finishFlush", `>= 0 and <= ${max}`, finishFlush);
  return finishFlush === finish;
}
function ranged(work) {
  try {
    return bytes(work());
  } catch (error) {
    if (error?.code === "ERR_BUFFER_TOO_LARGE") throw coded(new RangeError(error.message), error.code);
    if (error?.code === "Z_DATA_ERROR" || error?.code === "Z_BUF_ERROR") error.errno = error.code === "Z_BUF_ERROR" ? -5 : -3;
    throw error;
  }
}
const compress = (format) => (buffer, given) => {
  const data = piece(buffer), wanted = options(given);
  const level = format === "brotli" ? qualityOf(wanted) : levelOf(wanted, 6), max = lengthOf(wanted);
  return () => ranged(() => host.compress(format, data, level, max));
};
const decompress = (format) => (buffer, given) => {
  const data = piece(buffer), wanted = options(given), max = lengthOf(wanted), begun = !endsOf(wanted, format);
  return () => ranged(() => host.decompress(format, data, max, begun));
};
const sync = (prepared) => (buffer, given) => prepared(buffer, typeof given === "number" ? undefined : given)();
// With a callback as its last argument it calls that, as in Node; without one it answers with a promise.
const later = (prepared) => (buffer, given, callback) => {
  if (typeof given === "function") [given, callback] = [undefined, given];
  if (callback !== undefined && typeof callback !== "function") throw wrongType("callback", "of type function", callback);
  const work = prepared(buffer, given);
  if (callback === undefined) return new Promise((resolve) => resolve(work()));
  let error = null, value;
  try {
    value = work();
  } catch (thrown) {
    error = thrown;
  }
  setTimeout(callback, 0, error, value);
  return undefined;
};
const named = (name, f) => Object.defineProperty(f, "name", { value: name });
const pair = (name, prepared) => [named(`${name}Sync`, sync(prepared)), named(name, later(prepared))];
export const [gzipSync, gzip] = pair("gzip", compress("gzip"));
export const [gunzipSync, gunzip] = pair("gunzip", decompress("gzip"));
export const [deflateSync, deflate] = pair("deflate", compress("zlib"));
export const [inflateSync, inflate] = pair("inflate", decompress("zlib"));
export const [deflateRawSync, deflateRaw] = pair("deflateRaw", compress("raw"));
export const [inflateRawSync, inflateRaw] = pair("inflateRaw", decompress("raw"));
export const [unzipSync, unzip] = pair("unzip", decompress("unzip"));
export const [brotliCompressSync, brotliCompress] = pair("brotliCompress", compress("brotli"));
export const [brotliDecompressSync, brotliDecompress] = pair("brotliDecompress", decompress("brotli"));
export function crc32(data, value = 0) {
  return host.crc32(piece(data), integer(value, "value", 0, LENGTH_MAX));
}
