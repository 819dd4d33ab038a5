// Streams of files: what is needed to read, write and pipe chunks.
import host from "host:fs";
import { Buffer } from "node:buffer";
import { at, bytes, given, toContent, toEncoding, toHow, toPath, told, abortError, needSignal } from "node:fs/arguments";

const nothing = () => undefined;
const { toString } = Buffer.prototype;

async function open(path, flags, name) {
  try {
    return await host.open(path, toHow(flags, name));
  } catch (error) {
    throw told(error, path);
  }
}

async function* chunks(fd, size, start, end) {
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

// How many of these bytes are whole characters: the rest waits for the next chunk.
const WHOLE = {
  __proto__: null,
  utf16le: (part) => {
    const even = part.length & ~1;
    return even > 0 && (part[even - 1] & 0xfc) === 0xd8 ? even - 2 : even;
  },
  base64: (part) => part.length - (part.length % 3),
  base64url: (part) => part.length - (part.length % 3),
};
/** A function that makes text of chunks, and of what is left of them when it is given none. */
function decoderOf(encoding) {
  if (encoding === "utf8") {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return (part) => (part === undefined ? decoder.decode() : decoder.decode(part, { stream: true }));
  }
  const whole = WHOLE[encoding] ?? ((part) => part.length);
  let rest = new Uint8Array(0);
  return (part) => {
    const all = bytes(new Uint8Array(rest.length + (part?.length ?? 0)));
    all.set(rest);
    if (part !== undefined) all.set(part, rest.length);
    const end = part === undefined ? all.length : whole(all);
    rest = all.slice(end);
    return toString.call(all, encoding, 0, end);
  };
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
  #handle;
  #decode;
  #error;
  #taken = false;
  // As in Node: undefined until somebody wants or refuses the chunks.
  #flowing;
  #wake = nothing;
  constructor(path, options) {
    super();
    const { fd, flags = "r", encoding, highWaterMark = 65536, start, end = Infinity, autoClose = true, signal } = given(options);
    this.#options = { highWaterMark, start, end, autoClose };
    this.bytesRead = 0;
    this.destroyed = false;
    this.fd = null;
    if (encoding) this.setEncoding(encoding);
    if (fd !== undefined && fd !== null) {
      this.path = undefined;
      if (typeof fd === "object") this.#handle = fd;
      this.fd = this.#handle === undefined ? fd : fd.fd;
      this.#file = Promise.resolve(this.fd);
      this.#heed(signal);
      return;
    }
    this.path = toPath(path, "createReadStream");
    this.#heed(signal);
    // At once, as in Node: who only waits for `open` or `error` hears it, and what is renamed meanwhile is read all the same.
    this.#file = open(this.path, flags, "createReadStream");
    this.#file.then((fd) => {
      this.fd = fd;
      this.emit("open", fd);
    }, (error) => {
      if (this.#taken) return;
      this.#taken = this.destroyed = true;
      this.emit("error", error);
      this.emit("close");
    });
  }
  #heed(signal) {
    needSignal(signal);
    const abort = () => this.destroy(abortError(signal));
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  }
  async #close(fd) {
    if (!this.#options.autoClose) return;
    await (this.#handle === undefined ? host.close(fd) : this.#handle.close());
    this.fd = null;
  }
  async *#parts() {
    if (this.#taken) return;
    this.#taken = true;
    const { highWaterMark, start, end } = this.#options;
    const fd = await this.#file;
    try {
      for await (const part of this.destroyed ? [] : chunks(fd, highWaterMark, start, end)) {
        if (this.destroyed) break;
        this.bytesRead += part.length;
        yield bytes(part);
      }
      if (this.#error !== undefined) throw this.#error;
    } catch (error) {
      throw told(error, this.path);
    } finally {
      await this.#close(fd);
    }
  }
  async *[Symbol.asyncIterator]() {
    if (this.#taken) return;
    try {
      for await (const part of this.#parts()) {
        const piece = this.#decode === undefined ? part : this.#decode(part);
        if (piece.length > 0) yield piece;
      }
      const rest = this.destroyed ? undefined : this.#decode?.();
      if (rest) yield rest;
    } finally {
      this.destroyed = true;
      this.emit("close");
    }
  }
  on(event, listener) {
    super.on(event, listener);
    if ((event === "data" || event === "end") && this.#flowing === undefined) this.resume();
    return this;
  }
  /** Chunks are text from here on. */
  setEncoding(encoding) {
    this.#decode = decoderOf(toEncoding(encoding ?? "utf8"));
    return this;
  }
  isPaused() { return this.#flowing === false; }
  pause() {
    if (this.#flowing !== false) {
      this.#flowing = false;
      this.emit("pause");
    }
    return this;
  }
  resume() {
    const first = this.#flowing === undefined, again = this.#flowing === false;
    if (!first && !again) return this;
    this.#flowing = true;
    queueMicrotask(() => {
      this.emit("resume");
      this.#wake();
      this.#flow();
    });
    return this;
  }
  /** Waits until nobody has paused it any more. */
  async #turn() {
    while (this.#flowing === false && !this.destroyed) await new Promise((go) => { this.#wake = go; });
    return !this.destroyed;
  }
  async #flow() {
    if (this.#taken) return;
    try {
      for await (const part of this.#parts()) {
        if (!(await this.#turn())) break;
        const piece = this.#decode === undefined ? part : this.#decode(part);
        if (piece.length > 0) this.emit("data", piece);
      }
      const rest = (await this.#turn()) && this.#decode?.();
      if (rest) this.emit("data", rest);
      if (await this.#turn()) this.emit("end");
      if (this.#error !== undefined) throw this.#error;
      this.destroyed = true;
    } catch (error) {
      this.destroyed = true;
      this.emit("error", error);
    }
    this.emit("close");
  }
  pipe(into, options = undefined) {
    const ends = options?.end !== false;
    let closed = false, go = nothing;
    // Then nobody drains it any more.
    into.once?.("close", () => { closed = true; go(); });
    (async () => {
      try {
        for await (const part of this) {
          if (!closed && !into.write(part)) await new Promise((drained) => into.once("drain", go = drained));
          if (closed) return;
        }
        this.emit("end");
        if (ends) into.end();
      } catch (error) {
        this.emit("error", error);
      }
    })();
    return into;
  }
  destroy(error) {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.#error = error ?? undefined;
    this.#wake();
    // Who takes the chunks closes the file and tells of the error; unless somebody does right away it is us.
    queueMicrotask(() => this.#flow());
    return this;
  }
  close() { this.destroy(); }
}

/** The lines of a stream of text, without their ends. */
export async function* lines(stream) {
  // Of the line that is not ended yet; what a carriage return at the end of a chunk means, the next one tells.
  let open = [], returned = false;
  for await (const part of stream) {
    const pieces = (returned ? "\r" + part : part).split(/\r\n|\n|\r(?!$)|\u2028|\u2029/);
    const last = pieces.pop();
    returned = last.endsWith("\r");
    if (pieces.length > 0) {
      open.push(pieces[0]);
      pieces[0] = open.join("");
      open = [];
    }
    open.push(returned ? last.slice(0, -1) : last);
    yield* pieces;
  }
  const rest = open.join("");
  if (returned || rest !== "") yield rest;
}

/** Writes one chunk after the other. `write` answers false when much is waiting; then `drain` comes. */
export class WriteStream extends Emitter {
  #work;
  #fd;
  #handle;
  #closes;
  #waiting = 0;
  #most;
  #encoding;
  #at;
  #failed;
  #released = false;
  constructor(path, options) {
    super();
    const { fd, flags = "w", encoding = "utf8", start, highWaterMark = 65536, autoClose = true } = given(options);
    this.bytesWritten = 0;
    this.writable = true;
    [this.#most, this.#encoding, this.#at, this.#closes] = [highWaterMark, encoding, start, autoClose];
    if (fd !== undefined && fd !== null) {
      this.path = undefined;
      if (typeof fd === "object") this.#handle = fd;
      this.#fd = this.#handle === undefined ? fd : fd.fd;
      this.#work = Promise.resolve();
      return;
    }
    this.path = toPath(path, "createWriteStream");
    this.#work = open(this.path, flags, "createWriteStream").then((fd) => {
      this.#fd = fd;
      this.emit("open", fd);
    });
    this.#work.catch((error) => this.#fail(error));
  }
  #fail(error) {
    if (this.#failed) return;
    this.#failed = error;
    this.writable = false;
    queueMicrotask(() => {
      try {
        this.emit("error", error);
      } finally {
        this.#release();
      }
    });
  }
  async #release() {
    if (this.#released) return;
    this.#released = true;
    try {
      if (this.#fd !== undefined && this.#closes) {
        await (this.#handle === undefined ? host.close(this.#fd) : this.#handle.close());
      }
    } catch (error) {
      this.#fail(told(error, this.path));
    }
    this.emit("close");
  }
  write(data, encoding, done) {
    if (typeof encoding === "function") [encoding, done] = [undefined, encoding];
    if (!this.writable) throw Object.assign(new Error("write after end"), { code: "ERR_STREAM_WRITE_AFTER_END" });
    const content = toContent(data, encoding ?? this.#encoding, "write");
    const size = content.tag === "bytes" ? content.val.byteLength : data.length;
    this.#waiting += size;
    this.#work = this.#work.then(async () => {
      const written = await host.write(this.#fd, content, at(this.#at));
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
    this.#work = this.#work.then(() => this.emit("finish"), nothing).then(() => this.#release());
    return this;
  }
  close(done) { return this.end(done); }
  destroy() {
    if (this.writable) this.end();
    return this;
  }
}
