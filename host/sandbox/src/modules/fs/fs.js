// Node's `fs` over the functions of `vm:fs`. What has rules is decided there: this only has Node's shapes.
import host from "host:fs";
import { Buffer } from "node:buffer";
import {
  at, bytes, constants, given, joined, toContent, toEncoding, toFd, toHow, toLength, toPath, toPosition, toRead,
  toTarget, toViews, toWrite, told, unlessAborted, viewOf, wrong,
} from "node:fs/arguments";
import { ReadStream, WriteStream, lines } from "node:fs/streams";

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
    // The older name of the same.
    this.path = parentPath;
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

/** The rest of an open file, from where the last call ended; there is no function of the host for it. */
const PIECE = 1 << 20;
const rest = {
  sync(fd) {
    const pieces = [];
    for (;;) {
      const piece = host.readSync(fd, PIECE, null);
      if (piece.length === 0) return joined(pieces);
      pieces.push(piece);
    }
  },
  async later(fd) {
    const pieces = [];
    for (;;) {
      const piece = await host.read(fd, PIECE, null);
      if (piece.length === 0) return joined(pieces);
      pieces.push(piece);
    }
  },
};
const isOpen = (path) => typeof path === "number";
const byPath = (path) => ({ tag: "path", val: path });
const byHandle = (handle) => ({ tag: "handle", val: handle });
const changed = (path, tag, val, dest = undefined) => ["apply", [path, { tag, val }], nothing, dest];
/** The path that an error has: of a link, what it leads to. */
const subjectOf = ([first, second]) => {
  if (second?.tag === "link") return second.val;
  return typeof first === "object" ? first.val : first;
};

function writeAll(name, path, data, options, otherwise) {
  const { encoding, flag = otherwise, signal } = given(options);
  const how = toHow(flag, name);
  // An open file has been opened in its way; the data goes where the last call ended.
  if (isOpen(path)) return ["write", [toFd(path, name), toContent(data, encoding, name), null], nothing, undefined, signal];
  return ["writeFile", [toPath(path, name), toContent(data, encoding, name), how], nothing, undefined, signal];
}
const twoPaths = (name, path, to, names) => [toPath(path, name, 1, names[0]), toPath(to, name, 2, names[1])];
/** With what a callback gets behind the answer. */
const and = (operation, also) => Object.assign(operation, { also });

// How each function asks the host: its function, the arguments, and what becomes of the answer; the second path, for errors;
// the signal. `subjectOf` says which of the arguments is the path that an error has.
const OPERATIONS = {
  __proto__: null,
  readFile(name, path, options) {
    // The contract of old scripts: without an encoding it is text. `null` and "buffer" are bytes.
    const { encoding, flag, signal } = given(options);
    const asked = options === null ? null : encoding;
    if (flag !== undefined) toHow(flag, name);
    const text = asked === null || asked === "buffer" ? undefined : toEncoding(asked ?? "utf8");
    if (isOpen(path)) {
      const shaped = (whole) => (text === undefined ? bytes(whole) : bytes(whole).toString(text));
      return [rest, [toFd(path, name)], shaped, undefined, signal];
    }
    if (text === undefined) return ["readFile", [toPath(path, name)], bytes, undefined, signal];
    return ["readText", [toPath(path, name), text], same, undefined, signal];
  },
  writeFile(name, path, data, options) { return writeAll(name, path, data, options, "w"); },
  appendFile(name, path, data, options) { return writeAll(name, path, data, options, "a"); },
  access(name, path, mode = 0) { return ["access", [toPath(path, name), (mode & 2) !== 0], nothing]; },
  stat(name, path) { return ["stat", [byPath(toPath(path, name)), true], toStats]; },
  lstat(name, path) { return ["stat", [byPath(toPath(path, name)), false], toStats]; },
  readdir(name, path, options) {
    const { withFileTypes = false, recursive = false } = given(options), directory = toPath(path, name);
    const shaped = (entries) => (withFileTypes ? toDirents(entries, directory) : entries.map((entry) => entry.name));
    return ["readDirectory", [directory, Boolean(recursive)], shaped];
  },
  mkdir(name, path, options) {
    const recursive = Boolean(options?.recursive);
    const what = recursive ? "all" : "one";
    return ["makeDirectory", [toPath(path, name), what], (first) => (recursive ? first ?? undefined : undefined)];
  },
  mkdtemp(name, prefix) { return ["makeDirectory", [toPath(prefix, name, 1, "prefix"), "temporary"]]; },
  rm(name, path, options) {
    const { recursive = false, force = false } = options ?? {};
    return changed(toPath(path, name), "remove", [recursive ? "tree" : "file", Boolean(force)]);
  },
  rmdir(name, path) { return changed(toPath(path, name), "remove", ["directory", false]); },
  unlink(name, path) { return changed(toPath(path, name), "remove", ["file", false]); },
  rename(name, path, to) {
    const [from, into] = twoPaths(name, path, to, ["oldPath", "newPath"]);
    return changed(from, "rename", into, into);
  },
  copyFile(name, path, to, mode = 0) {
    const [from, into] = twoPaths(name, path, to, ["src", "dest"]);
    return changed(from, "copy", [into, (mode & constants.COPYFILE_EXCL) !== 0], into);
  },
  truncate(name, path, size = 0) {
    return ["truncate", [byPath(toPath(path, name)), toLength(size, name)], nothing];
  },
  realpath(name, path) { return ["readLink", [toPath(path, name), true]]; },
  symlink(name, target, path) {
    const link = toPath(path, name, 2, "path");
    return changed(link, "link", toTarget(target, name), link);
  },
  readlink(name, path) { return ["readLink", [toPath(path, name), false]]; },
  utimes(name, path, atime, mtime) { return changed(toPath(path, name), "times", [seconds(atime), seconds(mtime)]); },
  open(name, path, flag = "r") { return ["open", [toPath(path, name), toHow(flag, name)]]; },
  close(name, fd) { return ["close", [toFd(fd, name)], nothing]; },
  read(name, fd, buffer, offset, length, position) {
    // A buffer comes first, among options, or not at all.
    const named = (buffer === undefined || (typeof buffer === "object" && !ArrayBuffer.isView(buffer))) && name !== "readSync";
    if (named) ({ buffer = Buffer.alloc(16384), offset, length, position } = buffer ?? {});
    else if (offset !== null && typeof offset === "object") ({ offset, length, position } = offset);
    if (!ArrayBuffer.isView(buffer)) throw wrong(name, 2, "buffer", "a Uint8Array or a DataView", buffer);
    const handle = toFd(fd, name), view = toRead(viewOf(buffer), buffer, offset, length);
    const asked = ["read", [handle, view.length, toPosition(position)], (data) => (view.set(data), data.length)];
    return and(asked, buffer);
  },
  write(name, fd, data, offset = undefined, length = undefined, position = undefined) {
    toFd(fd, name);
    if (typeof data === "string") return and(["write", [fd, toContent(data, length, name), at(offset)]], data);
    if (offset !== null && typeof offset === "object") ({ offset, length, position } = offset);
    const { val } = toContent(data, undefined, name);
    const part = toWrite(val instanceof ArrayBuffer ? new Uint8Array(val) : val, offset, length);
    return and(["write", [fd, { tag: "bytes", val: part }, at(position)]], data);
  },
  readv(name, fd, buffers, position) {
    const views = toViews(buffers, name), most = views.reduce((sum, view) => sum + view.length, 0);
    const scattered = (data) => {
      let start = 0;
      for (const view of views) {
        const part = data.subarray(start, start + view.length);
        view.set(part);
        start += part.length;
      }
      return data.length;
    };
    return and(["read", [toFd(fd, name), most, toPosition(position)], scattered], buffers);
  },
  writev(name, fd, buffers, position) {
    const val = joined(toViews(buffers, name));
    return and(["write", [toFd(fd, name), { tag: "bytes", val }, at(position)]], buffers);
  },
  fstat(name, fd) { return ["stat", [byHandle(toFd(fd, name)), false], toStats]; },
  ftruncate(name, fd, size = 0) {
    return ["truncate", [byHandle(toFd(fd, name)), toLength(size, name)], nothing];
  },
};

const same = (answer) => answer;

const { F_OK, R_OK, W_OK, X_OK } = constants;
const fs = { constants, F_OK, R_OK, W_OK, X_OK, Stats, Dirent };
const promises = { constants };
// As in Node, those that take handles are no promises: a FileHandle has them.
const NOT_PROMISED = new Set(["open", "close", "read", "write", "readv", "writev", "fstat", "ftruncate"]);
const later = { __proto__: null };

async function answerOf([asked, values, shaped = same, dest, signal]) {
  try {
    return shaped(await unlessAborted(signal, () => (asked === rest ? rest.later(...values) : host[asked](...values))));
  } catch (error) {
    throw told(error, subjectOf(values), dest);
  }
}
for (const [name, operation] of Object.entries(OPERATIONS)) {
  const nameSync = `${name}Sync`;
  const define = (object, key, value) => {
    Object.defineProperty(value, "name", { value: key });
    object[key] = value;
  };
  define(fs, nameSync, (...args) => {
    const [asked, values, shaped = same, dest] = operation(nameSync, ...args);
    try {
      return shaped(asked === rest ? rest.sync(...values) : host[`${asked}Sync`](...values));
    } catch (error) {
      throw told(error, subjectOf(values), dest);
    }
  });
  define(later, name, async (...args) => answerOf(operation(name, ...args)));
  if (!NOT_PROMISED.has(name)) promises[name] = later[name];
  define(fs, name, (...args) => {
    const done = args.pop();
    if (typeof done !== "function") throw wrong(name, args.length + 1, "callback", "a function", done);
    // What is wrong with the arguments is thrown, as in Node.
    const asked = operation(name, ...args);
    if (!("also" in asked)) answerOf(asked).then((value) => done(null, value), (error) => done(error));
    else answerOf(asked).then((value) => done(null, value, asked.also), (error) => done(error, 0, asked.also));
  });
}

const promised = Symbol.for("nodejs.util.promisify.custom");
for (const [name, count, what] of [
  ["read", "bytesRead", "buffer"], ["write", "bytesWritten", "buffer"],
  ["readv", "bytesRead", "buffers"], ["writev", "bytesWritten", "buffers"],
]) {
  const value = async (...args) => {
    const asked = OPERATIONS[name](name, ...args);
    return { [count]: await answerOf(asked), [what]: asked.also };
  };
  Object.defineProperty(fs[name], promised, { value, configurable: true });
  later[`${name}Both`] = value;
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
  if (typeof path !== "string") {
    try {
      path = toPath(path, "existsSync");
    } catch {
      return false;
    }
  }
  return hostExists(path);
};
fs.exists = function exists(path, done) {
  if (typeof done !== "function") throw wrong("exists", 2, "callback", "a function", done);
  later.access(path).then(() => done(true), () => done(false));
};
Object.defineProperty(fs.exists, promised, { value: (path) => new Promise((go) => { fs.exists(path, go); }), configurable: true });
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
  #open(syscall) {
    if (this.#fd < 0) throw Object.assign(new Error("file closed"), { code: "EBADF", syscall });
    return this.#fd;
  }
  async read(...args) { return later.readBoth(this.#open("read"), ...args); }
  async write(...args) { return later.writeBoth(this.#open("write"), ...args); }
  async readv(buffers, position) { return later.readvBoth(this.#open("readv"), buffers, position); }
  async writev(buffers, position) { return later.writevBoth(this.#open("writev"), buffers, position); }
  async readFile(options) { return later.readFile(this.#open("readFile"), options); }
  async writeFile(data, options) { return later.writeFile(this.#open("writeFile"), data, options); }
  async appendFile(data, options) { return later.appendFile(this.#open("writeFile"), data, options); }
  async stat() { return later.fstat(this.#open("fstat")); }
  async truncate(size = 0) { return later.ftruncate(this.#open("ftruncate"), size); }
  createReadStream(options) { return new ReadStream(undefined, { ...given(options), fd: this }); }
  createWriteStream(options) { return new WriteStream(undefined, { ...given(options), fd: this }); }
  readLines(options) { return lines(this.createReadStream({ encoding: "utf8", ...given(options) })); }
  async close() {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) await later.close(fd);
  }
  [Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose")]() { return this.close(); }
  static is = (value) => typeof value === "object" && value !== null && #fd in value;
}
const isHandle = FileHandle.is;
delete FileHandle.is;
promises.open = async function open(path, flags, mode) {
  return new FileHandle(await later.open(path, flags, mode));
};
for (const name of ["readFile", "writeFile", "appendFile"]) {
  const whole = later[name];
  const value = async (path, ...args) => (isHandle(path) ? path[name](...args) : whole(path, ...args));
  promises[name] = Object.defineProperty(value, "name", { value: name });
}

fs.createReadStream = function createReadStream(path, options) { return new ReadStream(path, options); };
fs.createWriteStream = function createWriteStream(path, options) { return new WriteStream(path, options); };
fs.ReadStream = ReadStream;
fs.WriteStream = WriteStream;
fs.promises = promises;

export { ReadStream, WriteStream, promises };
export default fs;
