// What the functions of `fs` are given, as the host takes it, and what its errors become.
import { Buffer } from "node:buffer";

const { setPrototypeOf } = Object, { prototype } = Buffer;
export const bytes = (data) => setPrototypeOf(data, prototype);

const ERRNO = {
  __proto__: null, EPERM: -1, ENOENT: -2, EIO: -5, EBADF: -9, EACCES: -13, EBUSY: -16, EEXIST: -17, ENOTDIR: -20,
  EISDIR: -21, EINVAL: -22, ENFILE: -23, EMFILE: -24, ETXTBSY: -26, EFBIG: -27, ENOSPC: -28, EROFS: -30, EMLINK: -31,
  ENAMETOOLONG: -36, ENOTEMPTY: -39, ELOOP: -40, ENOBUFS: -105, EDQUOT: -122, ECANCELED: -125,
};

const ENCODINGS = {
  __proto__: null, utf8: "utf8", "utf-8": "utf8", latin1: "latin1", binary: "latin1", ascii: "ascii", hex: "hex",
  utf16le: "utf16le", "utf-16le": "utf16le", ucs2: "utf16le", "ucs-2": "utf16le", base64: "base64", base64url: "base64url",
};

// Node's, but for those that stand for what there is not here.
export const constants = Object.freeze({
  __proto__: null,
  F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4, COPYFILE_EXCL: 1, COPYFILE_FICLONE: 2, UV_FS_COPYFILE_EXCL: 1, UV_FS_COPYFILE_FICLONE: 2,
  O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_NOCTTY: 256, O_TRUNC: 512, O_APPEND: 1024, O_NONBLOCK: 2048,
  S_IFMT: 0o170000, S_IFREG: 0o100000, S_IFDIR: 0o40000, S_IFLNK: 0o120000, S_IFCHR: 0o20000, S_IFBLK: 0o60000,
  S_IFIFO: 0o10000, S_IFSOCK: 0o140000,
  S_IRWXU: 0o700, S_IRUSR: 0o400, S_IWUSR: 0o200, S_IXUSR: 0o100, S_IRWXG: 0o70, S_IRGRP: 0o40, S_IWGRP: 0o20, S_IXGRP: 0o10,
  S_IRWXO: 7, S_IROTH: 4, S_IWOTH: 2, S_IXOTH: 1,
});

const HOW = { __proto__: null };
for (const [names, how] of [
  ["r rs sr", { read: true }],
  ["r+ rs+ sr+", { read: true, write: true }],
  ["w", { write: true, create: true, truncate: true }],
  ["w+", { read: true, write: true, create: true, truncate: true }],
  ["a as sa", { append: true, create: true }],
  ["a+ as+ sa+", { read: true, append: true, create: true }],
]) {
  for (const name of names.split(" ")) {
    HOW[name] = how;
    if (how.create) HOW[name.replace(/^(.)/, "$1x")] = { ...how, exclusive: true };
  }
}

const kindOf = (value) => (value === null ? "null" : typeof value);

/** Names the function and the argument, which old scripts have been promised. */
export function wrong(name, index, parameter, expected, value) {
  const text = `${name}: argument ${index} (${parameter}): expected ${expected}, got ${kindOf(value)}`;
  return coded(new TypeError(text), "ERR_INVALID_ARG_TYPE");
}

// By what the class itself knows, whatever a script has made of its properties.
const part = (name) => Function.prototype.call.bind(Object.getOwnPropertyDescriptor(URL.prototype, name).get);
const protocolOf = part("protocol"), hostnameOf = part("hostname"), pathnameOf = part("pathname");
const isUrl = (value) => {
  if (typeof value !== "object" || value === null) return false;
  try {
    protocolOf(value);
    return true;
  } catch {
    return false;
  }
};

// The path of a `file:` URL, from the root. Whether it stays beneath that is the host's to say, as of any other path.
function pathOf(url) {
  const hostname = hostnameOf(url), pathname = pathnameOf(url);
  if (protocolOf(url) !== "file:") throw coded(new TypeError("The URL must be of scheme file"), "ERR_INVALID_URL_SCHEME");
  if (hostname !== "") {
    throw coded(new TypeError('File URL host must be "localhost" or empty on linux'), "ERR_INVALID_FILE_URL_HOST");
  }
  if (/%2f/i.test(pathname)) {
    throw coded(new TypeError("File URL path must not include encoded / characters"), "ERR_INVALID_FILE_URL_PATH");
  }
  return decodeURIComponent(pathname);
}

/** The path as text: of bytes that are UTF-8, or of a `file:` URL, whose root is the session's. */
export function toPath(value, name, index = 1, parameter = "path") {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
    } catch {
      throw wrongValue(parameter, value, "must be UTF-8");
    }
  }
  if (isUrl(value)) return pathOf(value).replace(/^\/+/, "") || ".";
  throw wrong(name, index, parameter, "a string, a Uint8Array or a URL", value);
}

/** What a symbolic link says: a URL means something absolute, which the host refuses. */
export function toTarget(value, name) {
  return isUrl(value) ? pathOf(value) : toPath(value, name, 1, "target");
}

export function toFd(value, name) {
  if (typeof value !== "number") throw wrong(name, 1, "fd", "a number", value);
  return integer(value, "fd", 0, 2147483647);
}

/** As in Node, a length below nothing is nothing. */
export function toLength(value, name) {
  if (typeof value !== "number") throw wrong(name, 2, "len", "a number", value);
  return Math.max(0, integer(value, "len", -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
}

export function toEncoding(encoding) {
  const known = ENCODINGS[String(encoding).toLowerCase()];
  if (known === undefined) throw coded(new TypeError(`Unknown encoding: ${encoding}`), "ERR_UNKNOWN_ENCODING");
  return known;
}

export const given = (options) => (typeof options === "string" ? { encoding: options } : options ?? {});

const FLAGS = 3 | 64 | 128 | 256 | 512 | 1024 | 2048;
export function toHow(flag, name) {
  // What asks for more than can be kept is refused, not left out.
  if (typeof flag === "number" && (flag & ~FLAGS) === 0) {
    const way = flag & 3;
    return {
      read: way !== 1, write: way !== 0, append: (flag & 1024) !== 0,
      create: (flag & 64) !== 0, exclusive: (flag & 128) !== 0, truncate: (flag & 512) !== 0,
    };
  }
  const how = HOW[flag];
  if (how !== undefined) return how;
  const text = `${name}: the flag '${String(flag)}' is none of r, r+, w, wx, w+, wx+, a, ax, a+, ax+`;
  throw coded(new TypeError(text), "ERR_INVALID_ARG_VALUE");
}

export function toContent(data, encoding, name) {
  if (typeof data === "string") return { tag: "text", val: { text: data, encoding: toEncoding(encoding ?? "utf8") } };
  if (data instanceof Uint8Array || data instanceof ArrayBuffer) return { tag: "bytes", val: data };
  if (ArrayBuffer.isView(data)) return { tag: "bytes", val: viewOf(data) };
  throw wrong(name, 2, "data", "a string, a Uint8Array, an ArrayBuffer or a DataView", data);
}
export const viewOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** Where to write; null where the last call ended. */
export const at = (position) => {
  if (typeof position === "bigint") return position < 0n ? null : position;
  return Number.isSafeInteger(position) && position >= 0 ? position : null;
};

/** Where to read. */
export function toPosition(position) {
  if (position === undefined || position === null) return null;
  if (typeof position === "number") integer(position, "position", -1, Number.MAX_SAFE_INTEGER);
  else if (typeof position !== "bigint") throw wrongType("position", "of type bigint or integer", position);
  return at(position);
}

const toOffset = (offset) => (offset === undefined || offset === null ? 0 : integer(offset, "offset", 0, Number.MAX_SAFE_INTEGER));

/** The bytes of `view` that are read into. Without a length it is all that there are. */
export function toRead(view, buffer, offset, length) {
  const start = toOffset(offset), rest = view.length - start, size = length === undefined || length === null ? rest : length | 0;
  if (size !== 0 && view.length === 0) throw wrongValue("buffer", buffer, "is empty and cannot be written");
  if (size < 0) throw outOfRange("length", ">= 0", size);
  if (size > rest && size !== 0) throw outOfRange("length", `<= ${rest}`, size);
  return view.subarray(start, start + size);
}

/** The bytes of `view` that are written. */
export function toWrite(view, offset, length) {
  const start = toOffset(offset), rest = view.length - start, size = typeof length === "number" ? length : rest;
  if (rest < 0) throw outOfRange("offset", `<= ${view.length}`, start);
  if (size > rest) throw outOfRange("length", `<= ${rest}`, size);
  if (size < 0) throw outOfRange("length", ">= 0", size);
  return view.subarray(start, start + integer(size, "length", 0, view.length));
}

export function toViews(buffers, name) {
  if (!Array.isArray(buffers) || !buffers.every((buffer) => ArrayBuffer.isView(buffer))) {
    throw wrong(name, 2, "buffers", "an array of Uint8Arrays or DataViews", buffers);
  }
  return buffers.map(viewOf);
}

/** All pieces one after the other. */
export function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let end = 0;
  for (const piece of pieces) whole.set(piece, (end += piece.length) - piece.length);
  return whole;
}

/** The fields that Node's errors have beside the code, which the host gave. */
export function told(error, path, dest) {
  if (error instanceof Error && typeof error.code === "string" && error.code in ERRNO) {
    error.errno = ERRNO[error.code];
    const call = /, ([a-z]+)(?: '|$)/.exec(error.message);
    if (call) error.syscall = call[1];
    if (typeof path === "string") error.path = path;
    if (typeof dest === "string") error.dest = dest;
  }
  return error;
}

export const abortError = (signal) => {
  const error = coded(new Error("The operation was aborted", { cause: signal.reason }), "ABORT_ERR");
  return Object.defineProperty(error, "name", { value: "AbortError", writable: true, configurable: true });
};
export function needSignal(signal) {
  if (signal !== undefined && (signal === null || typeof signal !== "object" || !("aborted" in signal))) {
    throw wrongType("options.signal", "an instance of AbortSignal", signal);
  }
}
/** What `work` answers, unless the signal comes first: with it there already nothing is begun. */
export async function unlessAborted(signal, work) {
  if (signal === undefined) return work();
  needSignal(signal);
  if (signal.aborted) throw abortError(signal);
  let abort;
  const first = new Promise((_, reject) => {
    abort = () => reject(abortError(signal));
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work(), first]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
