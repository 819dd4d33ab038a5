// Node's `fs` over the functions of `vm:fs`. What has rules is decided there: this only has Node's shapes.
import host from "host:fs";
import { Buffer } from "node:buffer";

const { setPrototypeOf } = Object, { prototype } = Buffer;
const bytes = (data) => setPrototypeOf(data, prototype);

const ERRNO = {
  __proto__: null, EPERM: -1, ENOENT: -2, EIO: -5, EBADF: -9, EACCES: -13, EBUSY: -16, EEXIST: -17, ENOTDIR: -20,
  EISDIR: -21, EINVAL: -22, ENFILE: -23, EMFILE: -24, ETXTBSY: -26, EFBIG: -27, ENOSPC: -28, EROFS: -30, EMLINK: -31,
  ENAMETOOLONG: -36, ENOTEMPTY: -39, ELOOP: -40, ENOBUFS: -105, EDQUOT: -122, ECANCELED: -125,
};

const ENCODINGS = {
  __proto__: null, utf8: "utf8", "utf-8": "utf8", latin1: "latin1", binary: "latin1", ascii: "ascii", hex: "hex",
  utf16le: "utf16le", "utf-16le": "utf16le", ucs2: "utf16le", "ucs-2": "utf16le", base64: "base64", base64url: "base64url",
};

const constants = Object.freeze({
  F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4, COPYFILE_EXCL: 1,
  O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024,
  S_IFMT: 0o170000, S_IFREG: 0o100000, S_IFDIR: 0o40000, S_IFLNK: 0o120000,
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

function wrong(name, index, parameter, expected, value) {
  const error = new TypeError(`${name}: argument ${index} (${parameter}): expected ${expected}, got ${kindOf(value)}`);
  error.code = "ERR_INVALID_ARG_TYPE";
  return error;
}

function toPath(value, name, index = 1, parameter = "path") {
  if (typeof value !== "string") throw wrong(name, index, parameter, "a string", value);
  return value;
}

function toNumber(value, name, index, parameter) {
  if (typeof value !== "number" && typeof value !== "bigint") throw wrong(name, index, parameter, "a number", value);
  return value;
}

function toEncoding(encoding) {
  const known = ENCODINGS[String(encoding).toLowerCase()];
  if (known !== undefined) return known;
  const error = new TypeError(`Unknown encoding: ${encoding}`);
  error.code = "ERR_UNKNOWN_ENCODING";
  throw error;
}

const given = (options) => (typeof options === "string" ? { encoding: options } : options ?? {});

function toHow(flag, name) {
  if (typeof flag === "number") {
    const way = flag & 3;
    return {
      read: way !== 1, write: way !== 0, append: (flag & 1024) !== 0,
      create: (flag & 64) !== 0, exclusive: (flag & 128) !== 0, truncate: (flag & 512) !== 0,
    };
  }
  const how = HOW[flag];
  if (how !== undefined) return how;
  const error = new TypeError(`${name}: the flag '${String(flag)}' is none of r, r+, w, wx, w+, wx+, a, ax, a+, ax+`);
  error.code = "ERR_INVALID_ARG_VALUE";
  throw error;
}

function toContent(data, encoding, name) {
  if (typeof data === "string") return { tag: "text", val: { text: data, encoding: toEncoding(encoding ?? "utf8") } };
  if (data instanceof Uint8Array || data instanceof ArrayBuffer) return { tag: "bytes", val: data };
  if (ArrayBuffer.isView(data)) {
    return { tag: "bytes", val: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  }
  throw wrong(name, 2, "data", "a string, a Uint8Array, an ArrayBuffer or a DataView", data);
}

// The fields that Node's errors have beside the code, which the host gave.
function told(error, path, dest) {
  if (error instanceof Error && typeof error.code === "string" && error.code in ERRNO) {
    error.errno = ERRNO[error.code];
    const call = /, ([a-z]+)(?: '|$)/.exec(error.message);
    if (call) error.syscall = call[1];
    if (typeof path === "string") error.path = path;
    if (typeof dest === "string") error.dest = dest;
  }
  return error;
}

class Kinds {
  #kind;
  constructor(kind) { this.#kind = kind; }
  isFile() { return this.#kind === "file"; }
  isDirectory() { return this.#kind === "directory"; }
  isSymbolicLink() { return this.#kind === "symlink"; }
  isFIFO() { return this.#kind === "fifo"; }
  isSocket() { return this.#kind === "socket"; }
  isCharacterDevice() { return this.#kind === "character-device"; }
  isBlockDevice() { return this.#kind === "block-device"; }
}

/** What is known of a file. It has neither owner nor inode. */
export class Stats extends Kinds {
  constructor(stats) {
    super(stats.kind);
    this.mode = stats.mode;
    this.size = stats.size;
    this.atimeMs = stats.accessed;
    this.mtimeMs = stats.modified;
    this.ctimeMs = stats.changed;
    this.birthtimeMs = stats.born;
  }
  get atime() { return new Date(this.atimeMs); }
  get mtime() { return new Date(this.mtimeMs); }
  get ctime() { return new Date(this.ctimeMs); }
  get birthtime() { return new Date(this.birthtimeMs); }
}

/** Something in a directory. */
export class Dirent extends Kinds {
  constructor(name, parentPath, kind) {
    super(kind);
    this.name = name;
    this.parentPath = parentPath;
  }
}

function toDirents(entries, path) {
  return entries.map(({ name, kind }) => {
    const at = name.lastIndexOf("/");
    if (at < 0) return new Dirent(name, path, kind);
    return new Dirent(name.slice(at + 1), `${path.endsWith("/") ? path : `${path}/`}${name.slice(0, at)}`, kind);
  });
}

const seconds = (time) => (time instanceof Date ? time.getTime() : Number(time) * 1000);
const toStats = (stats) => new Stats(stats);
const nothing = () => undefined;

// How each function asks the host: its function, the arguments, and what becomes of the answer. The first arguments are
// the paths that an error has.
const OPERATIONS = {
  __proto__: null,
  readFile(name, path, options) {
    toPath(path, name);
    // The contract of old scripts: without an encoding it is text. `null` and "buffer" are bytes.
    const asked = options === null ? null : given(options).encoding;
    const how = given(options).flag;
    if (how !== undefined) toHow(how, name);
    if (asked === null || asked === "buffer") return ["readFile", [path], bytes];
    return ["readText", [path, asked === undefined ? "utf8" : toEncoding(asked)]];
  },
  writeFile(name, path, data, options) {
    const { encoding, flag = "w" } = given(options);
    return ["writeFile", [toPath(path, name), toContent(data, encoding, name), toHow(flag, name)], nothing];
  },
  appendFile(name, path, data, options) {
    const { encoding, flag = "a" } = given(options);
    return ["writeFile", [toPath(path, name), toContent(data, encoding, name), toHow(flag, name)], nothing];
  },
  access(name, path, mode = 0) { return ["access", [toPath(path, name), (mode & 2) !== 0], nothing]; },
  stat(name, path) { return ["stat", [toPath(path, name), true], toStats]; },
  lstat(name, path) { return ["stat", [toPath(path, name), false], toStats]; },
  readdir(name, path, options) {
    const { withFileTypes = false, recursive = false } = given(options);
    const shaped = (entries) => (withFileTypes ? toDirents(entries, path) : entries.map((entry) => entry.name));
    return ["readDirectory", [toPath(path, name), Boolean(recursive)], shaped];
  },
  mkdir(name, path, options) {
    const recursive = Boolean(options?.recursive);
    return ["makeDirectory", [toPath(path, name), recursive], (first) => (recursive ? first ?? undefined : undefined)];
  },
  mkdtemp(name, prefix) { return ["makeTemporary", [toPath(prefix, name, 1, "prefix")]]; },
  rm(name, path, options) {
    const { recursive = false, force = false } = options ?? {};
    return ["remove", [toPath(path, name), recursive ? "tree" : "file", Boolean(force)], nothing];
  },
  rmdir(name, path) { return ["remove", [toPath(path, name), "directory", false], nothing]; },
  unlink(name, path) { return ["remove", [toPath(path, name), "file", false], nothing]; },
  rename(name, path, to) { return ["rename", [toPath(path, name, 1, "oldPath"), toPath(to, name, 2, "newPath")], nothing, to]; },
  copyFile(name, path, to, mode = 0) {
    const exclusive = (mode & constants.COPYFILE_EXCL) !== 0;
    return ["copyFile", [toPath(path, name, 1, "src"), toPath(to, name, 2, "dest"), exclusive], nothing, to];
  },
  truncate(name, path, size = 0) { return ["truncate", [toPath(path, name), toNumber(size, name, 2, "len")], nothing]; },
  realpath(name, path) { return ["realPath", [toPath(path, name)]]; },
  symlink(name, target, path) {
    return ["makeLink", [toPath(target, name, 1, "target"), toPath(path, name, 2, "path")], nothing, path];
  },
  readlink(name, path) { return ["readLink", [toPath(path, name)]]; },
  utimes(name, path, atime, mtime) { return ["setTimes", [toPath(path, name), seconds(atime), seconds(mtime)], nothing]; },
  open(name, path, flag = "r") { return ["open", [toPath(path, name), toHow(flag, name)]]; },
  close(name, fd) { return ["close", [toNumber(fd, name, 1, "fd")], nothing]; },
  read(name, fd, buffer, offset = 0, length = undefined, position = undefined) {
    if (typeof offset === "object") ({ offset = 0, length, position } = offset ?? {});
    if (!ArrayBuffer.isView(buffer)) throw wrong(name, 2, "buffer", "a Uint8Array or a DataView", buffer);
    const view = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength).subarray(offset);
    const most = Math.min(length ?? view.length, view.length);
    return ["read", [toNumber(fd, name, 1, "fd"), most, at(position)], (data) => (view.set(data), data.length)];
  },
  write(name, fd, data, offset = undefined, length = undefined, position = undefined) {
    toNumber(fd, name, 1, "fd");
    if (typeof data === "string") return ["write", [fd, toContent(data, length, name), at(offset)]];
    if (offset !== null && typeof offset === "object") ({ offset, length, position } = offset);
    const from = offset ?? 0;
    const { val } = toContent(data, undefined, name);
    const view = val instanceof ArrayBuffer ? new Uint8Array(val) : val;
    const part = view.subarray(from, length === undefined || length === null ? undefined : from + length);
    return ["write", [fd, { tag: "bytes", val: part }, at(position)]];
  },
  fstat(name, fd) { return ["statOpen", [toNumber(fd, name, 1, "fd")], toStats]; },
  ftruncate(name, fd, size = 0) {
    return ["truncateOpen", [toNumber(fd, name, 1, "fd"), toNumber(size, name, 2, "len")], nothing];
  },
};

const at = (position) => (typeof position === "number" && position >= 0) || typeof position === "bigint" ? position : null;
const same = (answer) => answer;

const fs = { constants, Stats, Dirent };
const promises = { constants };
// As in Node, those that take handles are no promises: a FileHandle has them.
const NOT_PROMISED = new Set(["open", "close", "read", "write", "fstat", "ftruncate"]);
const later = { __proto__: null };

for (const [name, operation] of Object.entries(OPERATIONS)) {
  const nameSync = `${name}Sync`;
  const define = (object, key, value) => {
    Object.defineProperty(value, "name", { value: key });
    object[key] = value;
  };
  define(fs, nameSync, (...args) => {
    const [asked, values, shaped = same, dest] = operation(nameSync, ...args);
    try {
      return shaped(host[`${asked}Sync`](...values));
    } catch (error) {
      throw told(error, args[0], dest);
    }
  });
  define(later, name, async (...args) => {
    const [asked, values, shaped = same, dest] = operation(name, ...args);
    try {
      return shaped(await host[asked](...values));
    } catch (error) {
      throw told(error, args[0], dest);
    }
  });
  if (!NOT_PROMISED.has(name)) promises[name] = later[name];
  define(fs, name, (...args) => {
    const done = args.pop();
    if (typeof done !== "function") throw wrong(name, args.length + 1, "callback", "a function", done);
    later[name](...args).then((value) => done(null, value), (error) => done(error));
  });
}

// Most calls of old scripts are these: nothing in between.
const { readTextSync, existsSync: hostExists } = host;
const readAnySync = fs.readFileSync;
fs.readFileSync = function readFileSync(path, options) {
  if (options !== undefined || typeof path !== "string") return readAnySync(path, options);
  try {
    return readTextSync(path, "utf8");
  } catch (error) {
    throw told(error, path);
  }
};
fs.existsSync = function existsSync(path) {
  return hostExists(toPath(path, "existsSync"));
};
for (const name of ["statSync", "lstatSync"]) {
  const stat = fs[name];
  fs[name] = (path, options) => {
    try {
      return stat(path);
    } catch (error) {
      if (options?.throwIfNoEntry === false && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
      throw error;
    }
  };
}

/** An open file of `promises.open`. */
export class FileHandle {
  #fd;
  constructor(fd) { this.#fd = fd; }
  get fd() { return this.#fd; }
  async read(buffer, offset, length, position) {
    if (buffer === undefined || (!ArrayBuffer.isView(buffer) && typeof buffer === "object")) {
      ({ buffer = bytes(new Uint8Array(16384)), offset, length, position } = buffer ?? {});
    }
    return { bytesRead: await later.read(this.#fd, buffer, offset, length, position), buffer };
  }
  async write(buffer, offset, length, position) {
    return { bytesWritten: await later.write(this.#fd, buffer, offset, length, position), buffer };
  }
  async readFile(options) {
    const parts = [];
    for await (const part of chunks(this.#fd, 1 << 20)) parts.push(part);
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let end = 0;
    for (const part of parts) whole.set(part, (end += part.length) - part.length);
    const asked = options === null ? null : given(options).encoding;
    if (asked === null || asked === "buffer") return bytes(whole);
    if (toEncoding(asked ?? "utf8") === "utf8") return new TextDecoder("utf-8", { ignoreBOM: true }).decode(whole);
    const error = new TypeError("readFile: a FileHandle reads utf8 and bytes only");
    error.code = "ERR_INVALID_ARG_VALUE";
    throw error;
  }
  async writeFile(data, options) { await later.write(this.#fd, data, null, given(options).encoding); }
  async appendFile(data, options) { await this.writeFile(data, options); }
  async stat() { return later.fstat(this.#fd); }
  async truncate(size = 0) { return later.ftruncate(this.#fd, size); }
  async close() {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) await later.close(fd);
  }
}
promises.open = async function open(path, flags, mode) {
  return new FileHandle(await later.open(path, flags, mode));
};

async function* chunks(fd, size, start, end = Infinity) {
  let position = start;
  let left = end - (start ?? 0) + 1;
  while (left > 0) {
    const part = await host.read(fd, Math.min(size, left), position ?? null);
    if (part.length === 0) return;
    if (position !== undefined) position += part.length;
    left -= part.length;
    yield part;
  }
}

// As much of an EventEmitter as streams of files need.
class Emitter {
  #listeners = new Map();
  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, []);
    this.#listeners.get(event).push(listener);
    return this;
  }
  once(event, listener) {
    const once = (...args) => {
      this.off(event, once);
      listener.apply(this, args);
    };
    return this.on(event, once);
  }
  off(event, listener) {
    this.#listeners.set(event, (this.#listeners.get(event) ?? []).filter((other) => other !== listener));
    return this;
  }
  addListener(event, listener) { return this.on(event, listener); }
  removeListener(event, listener) { return this.off(event, listener); }
  emit(event, ...args) {
    const listeners = this.#listeners.get(event) ?? [];
    if (event === "error" && listeners.length === 0) throw args[0];
    for (const listener of listeners) listener.apply(this, args);
    return listeners.length > 0;
  }
}

/** The chunks of a file: `for await` it, or listen to `data`, `end`, `error` and `close`. */
export class ReadStream extends Emitter {
  #options;
  #file;
  #taken = false;
  #flows = false;
  constructor(path, options) {
    super();
    this.#options = given(options);
    this.path = toPath(path, "createReadStream");
    this.bytesRead = 0;
    this.destroyed = false;
    // At once, as in Node: who only waits for `open` or `error` hears it, and what is renamed meanwhile is read all the same.
    this.#file = later.open(this.path, this.#options.flags ?? "r");
    this.#file.then((fd) => this.emit("open", fd), (error) => {
      if (this.#taken) return;
      this.emit("error", error);
      this.emit("close");
    });
  }
  async *[Symbol.asyncIterator]() {
    if (this.#taken || this.destroyed) return;
    this.#taken = true;
    const { encoding, highWaterMark = 65536, start, end } = this.#options;
    const text = encoding && toEncoding(encoding);
    if (text && text !== "utf8") throw new TypeError(`createReadStream: a stream has bytes or utf8, not ${encoding}`);
    const decoder = text && new TextDecoder("utf-8", { ignoreBOM: true });
    const fd = await this.#file;
    try {
      for await (const part of chunks(fd, highWaterMark, start, end)) {
        if (this.destroyed) return;
        this.bytesRead += part.length;
        yield decoder ? decoder.decode(part, { stream: true }) : bytes(part);
      }
      const rest = decoder?.decode();
      if (rest) yield rest;
    } finally {
      await later.close(fd);
    }
  }
  on(event, listener) {
    super.on(event, listener);
    if (event === "data" || event === "end") this.resume();
    return this;
  }
  resume() {
    if (!this.#flows) {
      this.#flows = true;
      queueMicrotask(() => this.#flow());
    }
    return this;
  }
  async #flow() {
    try {
      for await (const part of this) this.emit("data", part);
      this.emit("end");
    } catch (error) {
      this.emit("error", error);
    }
    this.emit("close");
  }
  pipe(into) {
    (async () => {
      try {
        for await (const part of this) if (!into.write(part)) await new Promise((go) => into.once("drain", go));
        into.end();
      } catch (error) {
        this.emit("error", error);
      }
    })();
    return into;
  }
  destroy() {
    if (!this.#taken && !this.destroyed) this.#file.then((fd) => later.close(fd)).then(() => this.emit("close"), nothing);
    this.destroyed = true;
    return this;
  }
  close() { this.destroy(); }
}

/** Writes one chunk after the other. `write` answers false when much is waiting; then `drain` comes. */
export class WriteStream extends Emitter {
  #work;
  #fd;
  #waiting = 0;
  #most;
  #encoding;
  #at;
  #failed;
  constructor(path, options) {
    super();
    const { flags = "w", encoding = "utf8", start, highWaterMark = 65536 } = given(options);
    this.path = toPath(path, "createWriteStream");
    this.bytesWritten = 0;
    this.writable = true;
    [this.#most, this.#encoding, this.#at] = [highWaterMark, encoding, start];
    this.#work = later.open(this.path, flags).then((fd) => {
      this.#fd = fd;
      this.emit("open", fd);
    });
    this.#work.catch((error) => this.#fail(error));
  }
  #fail(error) {
    if (this.#failed) return;
    this.#failed = error;
    this.writable = false;
    queueMicrotask(() => this.emit("error", error));
  }
  write(data, encoding, done) {
    if (typeof encoding === "function") [encoding, done] = [undefined, encoding];
    if (!this.writable) throw Object.assign(new Error("write after end"), { code: "ERR_STREAM_WRITE_AFTER_END" });
    const content = toContent(data, encoding ?? this.#encoding, "write");
    const size = content.tag === "bytes" ? content.val.byteLength : data.length;
    this.#waiting += size;
    this.#work = this.#work.then(async () => {
      const written = await host.write(this.#fd, content, this.#at ?? null);
      if (this.#at !== undefined) this.#at += written;
      this.bytesWritten += written;
      const full = this.#waiting >= this.#most;
      this.#waiting -= size;
      done?.(null);
      if (full && this.#waiting < this.#most) this.emit("drain");
    });
    this.#work.catch((error) => this.#fail(told(error, this.path)));
    return this.#waiting < this.#most;
  }
  end(data, encoding, done) {
    if (typeof data === "function") [data, done] = [undefined, data];
    if (typeof encoding === "function") [encoding, done] = [undefined, encoding];
    if (data !== undefined && data !== null) this.write(data, encoding);
    if (done) this.once("finish", done);
    this.writable = false;
    this.#work = this.#work.then(() => this.emit("finish"), nothing).then(async () => {
      if (this.#fd !== undefined) await later.close(this.#fd);
      this.emit("close");
    });
    return this;
  }
  close(done) { return this.end(done); }
  destroy() {
    if (this.writable) this.end();
    return this;
  }
}

fs.createReadStream = function createReadStream(path, options) { return new ReadStream(path, options); };
fs.createWriteStream = function createWriteStream(path, options) { return new WriteStream(path, options); };
fs.ReadStream = ReadStream;
fs.WriteStream = WriteStream;
fs.promises = promises;

export { promises };
export default fs;
