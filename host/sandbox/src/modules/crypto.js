import host from "host:crypto";
import { Buffer } from "node:buffer";

const UINT_MAX = 2147483647, HELD_MAX = 64 * 1024, PIECES_MAX = 256;
const EMPTY = new Uint8Array(0);
// As it is before any script: what one puts in its place is not asked.
const { crypto: web } = globalThis, uuid = web.randomUUID.bind(web);
const DATA = "of type string or an instance of Buffer, TypedArray, or DataView";
const SECRET = "of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView";
const KEY = "of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey";
const VIEW = "an instance of ArrayBuffer, Buffer, TypedArray, or DataView";
const { setPrototypeOf } = Object, { prototype } = Buffer;
const bytes = (value) => setPrototypeOf(value, prototype);
// Of a Buffer, `slice` would be a second view.
const copied = (value) => new Uint8Array(value);
const toArrayBuffer = (value) => value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);

// The bytes that a view shows, not copied. Undefined: it is none.
function viewed(value) {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return undefined;
}
const ENCODINGS = {
  __proto__: null, hex: "hex", base64: "base64", base64url: "base64url", latin1: "latin1", binary: "latin1", ascii: "latin1",
  ucs2: "utf16le", "ucs-2": "utf16le", utf16le: "utf16le", "utf-16le": "utf16le", utf8: "utf8", "utf-8": "utf8",
};
const decoded = (text, encoding) => host.recode({ tag: "text", val: text }, encoding).val;
const encoded = (value, encoding) => host.recode({ tag: "bytes", val: value }, encoding).val;
const encodingOf = (encoding) => ENCODINGS[String(encoding).toLowerCase()];
// Text or bytes as the host takes them: text is UTF-8 unless it stands for bytes in another encoding.
function piece(value, name, expected, encoding) {
  if (typeof value === "string") {
    const coding = encoding === undefined ? "utf8" : encodingOf(encoding) ?? "utf8";
    if (coding === "utf8") return { tag: "text", val: value };
    if (coding === "hex" && value.length % 2 === 1) {
      throw wrongValue("encoding", encoding, `is invalid for data of length ${value.length}`);
    }
    return { tag: "bytes", val: decoded(value, coding) };
  }
  const view = viewed(value);
  if (view === undefined) throw wrongType(name, expected, value);
  return { tag: "bytes", val: view };
}
const asText = (encoding) => {
  const coding = encoding === undefined || encoding === "buffer" ? undefined : encodingOf(encoding);
  return coding === "latin1" && String(encoding).toLowerCase() === "ascii" ? "ascii" : coding;
};
const isText = (coding) => coding !== undefined && coding !== "utf16le";
const unknownDigest = (name) => coded(new TypeError(`Invalid digest: ${name}`), "ERR_CRYPTO_INVALID_DIGEST");
const names = new Map();
// The one name of a hash. Undefined: there is none. Few spellings are ever used, so they are asked for once.
function hashName(spelled) {
  const known = names.get(spelled);
  if (known !== undefined) return known;
  const found = host.hashes(spelled);
  if (found.length === 0) return undefined;
  if (names.size < 50) names.set(spelled, found[0]);
  return found[0];
}
function digestName(value, name = "digest") {
  const known = hashName(string(value, name));
  if (known === undefined) throw unknownDigest(value);
  return known;
}
const STATE = { tag: "state" }, BYTES = { tag: "bytes" };
// The bytes of a hash or HMAC.
const hashed = (name, key, state, pieces) => host.hash(name, key, state, pieces, BYTES).val;
const hashedText = (name, key, state, pieces, encoding) => host.hash(name, key, state, pieces, { tag: "text", val: encoding }).val;
// Calls back as Node does, or answers with a promise. The work is done at once: it is the script's own time.
function later(callback, work) {
  if (callback === undefined) return new Promise((resolve) => resolve(work()));
  if (typeof callback !== "function") throw wrongType("callback", "of type function", callback);
  const value = work();
  setTimeout(callback, 0, null, value);
  return undefined;
}

// Small pieces are held and handed over together. What came before is `#state`, a few bytes that the host made: nothing of
// a hash is kept there, and any number of bytes goes through one in bounded memory.
class Digest {
  #algorithm; #key; #state = EMPTY; #pieces = []; #held = 0; #finished = false;
  constructor(algorithm, key) {
    this.#algorithm = algorithm;
    this.#key = key;
  }
  update(data, encoding) {
    if (this.#finished) throw coded(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
    const next = piece(data, "data", DATA, encoding), { tag, val } = next;
    this.#held += val.length;
    const full = this.#held > HELD_MAX || this.#pieces.length >= PIECES_MAX;
    // What is held is a copy: the caller may write into it.
    this.#pieces.push(full || tag === "text" ? next : { tag, val: copied(val) });
    if (full) {
      this.#state = host.hash(this.#algorithm, this.#key, this.#state, this.#pieces, STATE).val;
      this.#pieces = [];
      this.#held = 0;
    }
    return this;
  }
  digest(encoding) {
    const coding = asText(encoding), given = [this.#algorithm, this.#key, this.#state, this.#pieces];
    if (this.#finished) {
      if (this.#key === null) throw coded(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
      return isText(coding) ? "" : bytes(new Uint8Array(0));
    }
    const value = isText(coding) ? hashedText(...given, coding) : bytes(hashed(...given));
    this.#finished = true;
    this.#pieces = [];
    return value;
  }
  static copy(from, into) {
    if (from.#finished) throw coded(new Error("Digest already called"), "ERR_CRYPTO_HASH_FINALIZED");
    into.#state = from.#state;
    into.#pieces = [...from.#pieces];
    into.#held = from.#held;
    return into;
  }
}
export class Hash extends Digest {
  #algorithm;
  constructor(algorithm, options_) {
    string(algorithm, "algorithm");
    const known = hashName(algorithm);
    if (known === undefined) throw coded(new Error("Digest method not supported"), "ERR_CRYPTO_INVALID_DIGEST");
    const { outputLength } = options(options_);
    super(known, null);
    this.#algorithm = known;
    if (outputLength !== undefined && integer(outputLength, "options.outputLength", 0, UINT_MAX) !== hashed(known, null, EMPTY, []).length) {
      throw coded(new Error("not XOF or invalid length"), "ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH");
    }
  }
  copy(options_) { return Digest.copy(this, new Hash(this.#algorithm, options_)); }
}
export class Hmac extends Digest {
  constructor(algorithm, key, options_) {
    string(algorithm, "hmac");
    const held = piece(key, "key", KEY, options(options_).encoding);
    super(digestName(algorithm), held.tag === "text" ? held : { tag: "bytes", val: copied(held.val) });
  }
}
export function createHash(algorithm, options_) { return new Hash(algorithm, options_); }
export function createHmac(algorithm, key, options_) { return new Hmac(algorithm, key, options_); }
export function getHashes() { return host.hashes(null); }
export function hash(algorithm, data, outputEncoding = "hex") {
  string(algorithm, "algorithm");
  const coding = asText(string(outputEncoding, "outputEncoding")), given = [piece(data, "input", DATA)];
  const known = hashName(algorithm);
  if (known === undefined) throw coded(new Error("Digest method not supported"), "ERR_CRYPTO_INVALID_DIGEST");
  return isText(coding) ? hashedText(known, null, EMPTY, given, coding) : bytes(hashed(known, null, EMPTY, given));
}

export function randomBytes(size, callback) {
  if (typeof size !== "number") throw wrongType("size", "of type number", size);
  if (!(size >= 0 && size <= UINT_MAX)) throw outOfRange("size", `>= 0 && <= ${UINT_MAX}`, size);
  const value = bytes(host.randomBytes(Math.floor(size)));
  return callback === undefined ? value : later(callback, () => value);
}
export function randomFillSync(buffer, offset = 0, size) {
  const view = viewed(buffer);
  if (view === undefined) throw wrongType("buf", VIEW, buffer);
  integer(offset, "offset", 0, view.length);
  const length = size === undefined ? view.length - offset : integer(size, "size", 0, UINT_MAX);
  if (offset + length > view.length) throw outOfRange("size + offset", `<= ${view.length}`, offset + length);
  view.set(host.randomBytes(length), offset);
  return buffer;
}
export function randomFill(buffer, ...rest) {
  const callback = typeof rest[rest.length - 1] === "function" ? rest.pop() : undefined;
  return later(callback, () => randomFillSync(buffer, ...rest));
}
export function randomInt(min, max, callback) {
  if (max === undefined || typeof max === "function") [min, max, callback] = [0, min, max];
  if (!Number.isSafeInteger(min)) throw wrongType("min", "a safe integer", min);
  if (!Number.isSafeInteger(max)) throw wrongType("max", "a safe integer", max);
  if (max <= min) throw outOfRange("max", `greater than the value of "min" (${min})`, max);
  const range = max - min, all = 2 ** 48;
  if (range > all - 1) throw outOfRange(min === 0 ? "max" : "max - min", `<= ${all - 1}`, range);
  // Numbers beyond the last whole range would make the first ones likelier.
  const fair = all - (all % range);
  for (;;) {
    const value = host.randomBytes(6).reduce((sum, byte) => sum * 256 + byte, 0);
    if (value < fair) {
      const found = min + (value % range);
      return callback === undefined ? found : later(callback, () => found);
    }
  }
}
export function randomUUID(options_) {
  if (options_ !== undefined) boolean(options(options_).disableEntropyCache ?? false, "options.disableEntropyCache");
  return uuid();
}
export function getRandomValues(array) {
  const integers = ArrayBuffer.isView(array) && !(array instanceof DataView) && !/^Float/.test(array[Symbol.toStringTag]);
  if (!integers) throw Object.assign(new TypeError("The data argument must be an integer-type TypedArray"), { code: "ERR_INVALID_ARG_TYPE" });
  if (array.byteLength > 65536) throw Object.assign(new Error("The requested length exceeds 65,536 bytes"), { name: "QuotaExceededError", code: 22 });
  return randomFillSync(array);
}
export function timingSafeEqual(a, b) {
  const [first, second] = [viewed(a), viewed(b)];
  if (first === undefined) throw wrongType("buf1", VIEW, a);
  if (second === undefined) throw wrongType("buf2", VIEW, b);
  if (first.length !== second.length) {
    throw coded(new RangeError("Input buffers must have the same byte length"), "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH");
  }
  return host.equal(first, second);
}

// The host's errors have Node's codes; a range is a RangeError as in Node.
function derived(how, given, length) {
  try {
    return host.derive({ tag: how, val: given }, length);
  } catch (error) {
    if (/^ERR_(OUT_OF_RANGE|CRYPTO_INVALID_(SCRYPT_PARAMS|KEYLEN))$/.test(error?.code)) throw coded(new RangeError(error.message), error.code);
    throw error;
  }
}
function pbkdf2Work(password, salt, iterations, keylen, digest) {
  string(digest, "digest");
  const given = [piece(password, "password", SECRET), piece(salt, "salt", SECRET)];
  integer(iterations, "iterations", 1, UINT_MAX);
  integer(keylen, "keylen", 0, UINT_MAX);
  const known = digestName(digest);
  return () => bytes(derived("pbkdf2", { digest: known, password: given[0], salt: given[1], iterations }, keylen));
}
export function pbkdf2Sync(password, salt, iterations, keylen, digest) {
  return pbkdf2Work(password, salt, iterations, keylen, digest)();
}
export function pbkdf2(password, salt, iterations, keylen, digest, callback) {
  return later(callback, pbkdf2Work(password, salt, iterations, keylen, digest));
}
function scryptWork(password, salt, keylen, options_) {
  const given = [piece(password, "password", SECRET), piece(salt, "salt", SECRET)];
  integer(keylen, "keylen", 0, UINT_MAX);
  const wanted = options(options_);
  const pick = (short, long, otherwise) => {
    if (wanted[short] !== undefined && wanted[long] !== undefined) {
      throw coded(new Error("Invalid scrypt parameter"), "ERR_CRYPTO_SCRYPT_INVALID_PARAMETER");
    }
    const name = wanted[short] !== undefined ? short : long, value = wanted[name];
    return value === undefined ? otherwise : integer(value, name, 0, 4294967295) || otherwise;
  };
  const n = pick("N", "cost", 16384), r = pick("r", "blockSize", 8), p = pick("p", "parallelization", 1);
  const maxmem = wanted.maxmem === undefined ? 0 : integer(wanted.maxmem, "maxmem", 0, Number.MAX_SAFE_INTEGER);
  if (128 * r * (n + p + 2) > (maxmem || 32 * 1024 * 1024)) {
    throw coded(new RangeError("Invalid scrypt params: memory limit exceeded"), "ERR_CRYPTO_INVALID_SCRYPT_PARAMS");
  }
  return () => bytes(derived("scrypt", { password: given[0], salt: given[1], cost: n, blockSize: r, parallelization: p }, keylen));
}
export function scryptSync(password, salt, keylen, options_) { return scryptWork(password, salt, keylen, options_)(); }
export function scrypt(password, salt, keylen, options_, callback) {
  if (typeof options_ === "function") [options_, callback] = [undefined, options_];
  return later(callback, scryptWork(password, salt, keylen, options_));
}
function hkdfWork(digest, key, salt, info, keylen) {
  string(digest, "digest");
  const given = [piece(key, "ikm", SECRET), piece(salt, "salt", SECRET), piece(info, "info", SECRET)];
  integer(keylen, "length", 0, UINT_MAX);
  if (given[2].val.length > 1024) throw outOfRange("info", "must not contain more than 1024 bytes", given[2].val.length);
  const known = digestName(digest);
  return () => toArrayBuffer(derived("hkdf", { digest: known, key: given[0], salt: given[1], info: given[2] }, keylen));
}
export function hkdfSync(digest, key, salt, info, keylen) { return hkdfWork(digest, key, salt, info, keylen)(); }
export function hkdf(digest, key, salt, info, keylen, callback) {
  return later(callback, hkdfWork(digest, key, salt, info, keylen));
}
