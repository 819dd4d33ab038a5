// Request and Response, without fetch itself.
import {
  RangeError, Symbol, TypeError, Uint8Array, bytesOf, concat, copyBytes, decode, dictionary, encode, exec,
  getPrototypeOf, getter, idl, isObject, isView, method, need, push, replace, split, test, toLowerCase, toText, toUpperCase,
  toWellFormed,
} from './primordials.js';
import { ReadableStream } from 'web-streams-polyfill';
import { blobBytes, isBlob, makeBlob, streamOf } from './blob.js';
import { entriesOf, FormData, fromMultipart, isFormData, toMultipart } from './form.js';
import { Headers, freeze, received, sorted } from './headers.js';
import { URL, URLSearchParams, isParams } from './url.js';
import { following, isSignal } from './abort.js';

const bufferOf = getter(getPrototypeOf(Uint8Array.prototype), 'buffer');
const bytesKind = getter(getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);
const { parse: parseJson, stringify } = JSON;
const { getReader, tee } = ReadableStream.prototype;
const call = Function.prototype.call.bind(Function.prototype.call);

/** `{ bytes }` or `{ stream }` with the content type that goes with it. */
const extract = (init) => {
  if (isBlob(init)) return { bytes: blobBytes(init), type: init.type || undefined };
  if (isFormData(init)) return toMultipart(init);
  if (isParams(init)) return { bytes: encode(`${init}`), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  if (isObject(init) && init instanceof ReadableStream) {
    if (init.locked || init._disturbed) throw new TypeError('the body is a stream that is locked or was read from');
    return { stream: init };
  }
  const bytes = bytesOf(init);
  if (bytes !== undefined) return { bytes: copyBytes(bytes) };
  return { bytes: encode(toWellFormed(toText(init))), type: 'text/plain;charset=UTF-8' };
};

const readAll = async (stream) => {
  const reader = call(getReader, stream), chunks = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(chunks);
    if (!isObject(value) || bytesKind(value) !== 'Uint8Array') throw new TypeError('a chunk of the body is no Uint8Array');
    push(chunks, value);
  }
};

let hasBody, setBody, bodyOf, take, isUnusable, cloneBody;
/** For whoever may write into it. A stream hands out copies, and this does as well: of what a Blob has, nobody may write. */
const takeBytes = async (owner) => {
  const taken = take(owner);
  return isView(taken) ? copyBytes(taken) : taken;
};

/** What Request and Response have in common. */
class Body {
  #bytes; #stream; #used = false; #empty = true;

  get body() {
    if (this.#empty) return null;
    return (this.#stream ??= this.#used ? spent() : streamOf(this.#bytes));
  }
  get bodyUsed() { return this.#stream === undefined ? this.#used : Boolean(this.#stream._disturbed); }
  async arrayBuffer() { return bufferOf(await takeBytes(this)); }
  async bytes() { return takeBytes(this); }
  async text() {
    const taken = take(this);
    return decode(isView(taken) ? taken : await taken);
  }
  async json() {
    const taken = take(this);
    return parseJson(decode(isView(taken) ? taken : await taken));
  }
  async blob() {
    const bytes = await takeBytes(this);
    return makeBlob(bytes, this.headers.get('content-type') ?? '');
  }
  async formData() {
    const type = this.headers.get('content-type') ?? '', bytes = await takeBytes(this);
    const essence = toLowerCase(replace(split(type, ';')[0], /^\s+|\s+$/g, ''));
    if (essence === 'multipart/form-data') {
      const found = exec(/;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i, type);
      if (found === null) throw new TypeError('formData: the content type names no boundary');
      return fromMultipart(bytes, found[1] ?? found[2]);
    }
    if (essence !== 'application/x-www-form-urlencoded') throw new TypeError(`formData: '${essence}' is no type of forms`);
    const form = new FormData(), entries = entriesOf(form);
    for (const pair of new URLSearchParams(decode(bytes))) push(entries, pair);
    return form;
  }

  static {
    setBody = (owner, { bytes, stream }) => {
      owner.#bytes = bytes;
      owner.#stream = stream;
      owner.#empty = false;
    };
    hasBody = (owner) => !owner.#empty;
    isUnusable = (owner) => !owner.#empty
      && (owner.#stream === undefined ? owner.#used : Boolean(owner.#stream._disturbed || owner.#stream.locked));
    /** Its bytes, or a promise of them. */
    take = (owner) => {
      if (owner.#empty) return new Uint8Array();
      if (isUnusable(owner)) throw new TypeError('Body is unusable: it has already been read, or is being read');
      if (owner.#stream !== undefined) return readAll(owner.#stream);
      owner.#used = true;
      const bytes = owner.#bytes;
      owner.#bytes = undefined;
      return bytes;
    };
    /** For a second owner: bytes are shared, a stream is split. */
    cloneBody = (owner, second) => {
      if (owner.#empty) return;
      if (isUnusable(owner)) throw new TypeError('clone: the body has already been read, or is being read');
      if (owner.#stream === undefined) return setBody(second, { bytes: owner.#bytes });
      const [first, other] = call(tee, owner.#stream);
      owner.#stream = first;
      setBody(second, { stream: other });
    };
    /** Takes the body away: null, bytes or a stream. */
    bodyOf = (owner) => {
      if (owner.#empty) return null;
      if (isUnusable(owner)) throw new TypeError('the body has already been read, or is being read');
      if (owner.#stream !== undefined) return relay(owner.#stream);
      owner.#used = true;
      return owner.#bytes;
    };
  }
}
// A body that was read is a stream that is at its end and was read from.
const spent = () => {
  const stream = new ReadableStream({ start(controller) { controller.close(); } });
  stream._disturbed = true;
  return stream;
};

// The old owner's stream is used up at once: a reader of ours has it.
const relay = (stream) => {
  const reader = call(getReader, stream);
  stream._disturbed = true;
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
};

const METHODS = { __proto__: null, DELETE: 1, GET: 1, HEAD: 1, OPTIONS: 1, POST: 1, PUT: 1 };
const CHOICES = {
  __proto__: null,
  mode: ['cors', 'no-cors', 'same-origin', 'navigate'],
  credentials: ['same-origin', 'omit', 'include'],
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
  redirect: ['follow', 'error', 'manual'],
};
const fieldNames = ['mode', 'credentials', 'cache', 'redirect', 'referrer', 'referrerPolicy', 'integrity', 'keepalive'];

let requestFacts;
export class Request extends Body {
  #url; #method = 'GET'; #headers; #signal; #fields;

  constructor(input, init = undefined) {
    need(arguments.length, 1, 'Request');
    super();
    const options = dictionary(init, 'Request'), from = isObject(input) && #url in input ? input : undefined;
    if (from === undefined) {
      const url = new URL(toText(input));
      if (url.username !== '' || url.password !== '') throw new TypeError('Request: the URL has credentials');
      this.#url = url.href;
      this.#fields = {
        __proto__: null, mode: 'cors', credentials: 'same-origin', cache: 'default', redirect: 'follow',
        referrer: 'about:client', referrerPolicy: '', integrity: '', keepalive: false,
      };
    } else {
      this.#url = from.#url;
      this.#method = from.#method;
      this.#fields = { __proto__: null, ...from.#fields };
    }
    for (let i = 0; i < fieldNames.length; i++) {
      const name = fieldNames[i], value = options[name];
      if (value === undefined) continue;
      const choices = CHOICES[name], text = name === 'keepalive' ? Boolean(value) : toText(value);
      if (choices !== undefined) {
        let known = false;
        for (let j = 0; j < choices.length; j++) known ||= choices[j] === text;
        if (!known || text === 'navigate') throw new TypeError(`Request: '${text}' is no value of ${name}`);
      }
      this.#fields[name] = text;
    }
    const { method, headers, body, signal, duplex } = options;
    if (method !== undefined) {
      const text = toText(method), upper = toUpperCase(text);
      if (!test(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, text) || test(/^(CONNECT|TRACE|TRACK)$/, upper)) {
        throw new TypeError(`Request: '${text}' is no method that can be used`);
      }
      this.#method = METHODS[upper] === 1 ? upper : text;
    }
    if (signal !== undefined && signal !== null && !isSignal(signal)) throw new TypeError('Request: signal is no AbortSignal');
    this.#signal = following(signal === undefined ? from?.#signal : signal ?? undefined);
    this.#headers = new Headers(headers ?? from?.#headers);
    const given = body !== undefined && body !== null;
    if ((given || (from !== undefined && hasBody(from))) && (this.#method === 'GET' || this.#method === 'HEAD')) {
      throw new TypeError(`Request: a request with method ${this.#method} cannot have a body`);
    }
    if (given) {
      const { type, ...content } = extract(body);
      if (content.stream !== undefined && duplex !== 'half') {
        throw new TypeError("Request: a stream as body needs duplex: 'half'");
      }
      setBody(this, content);
      if (type !== undefined && !this.#headers.has('content-type')) this.#headers.set('content-type', type);
    } else if (from !== undefined && hasBody(from)) {
      const taken = bodyOf(from);
      setBody(this, taken instanceof ReadableStream ? { stream: taken } : { bytes: taken });
    }
  }

  get url() { return this.#url; }
  get method() { return this.#method; }
  get headers() { return this.#headers; }
  get signal() { return this.#signal; }
  get destination() { return ''; }
  get duplex() { return 'half'; }
  get isReloadNavigation() { return false; }
  get isHistoryNavigation() { return false; }
  get mode() { return this.#fields.mode; }
  get credentials() { return this.#fields.credentials; }
  get cache() { return this.#fields.cache; }
  get redirect() { return this.#fields.redirect; }
  get referrer() { return this.#fields.referrer; }
  get referrerPolicy() { return this.#fields.referrerPolicy; }
  get integrity() { return this.#fields.integrity; }
  get keepalive() { return this.#fields.keepalive; }

  clone() {
    if (isUnusable(this)) throw new TypeError('clone: the body has already been read, or is being read');
    const copy = new Request(this.#url, { ...this.#fields, method: this.#method, headers: this.#headers, signal: this.#signal });
    cloneBody(this, copy);
    return copy;
  }

  static {
    requestFacts = (value) => (isObject(value) && #url in value
      ? { url: value.#url, method: value.#method, headers: value.#headers, signal: value.#signal, fields: value.#fields }
      : undefined);
  }
}
const isNullStatus = (status) => status === 101 || status === 103 || status === 204 || status === 205 || status === 304;

let responseFacts, respond;
/** What the constructor is told by `respond`, which fills in everything itself. */
const bare = Symbol('bare');
export class Response extends Body {
  #status = 200; #text = ''; #headers; #type = 'default'; #url = ''; #redirected = false;
  /** Headers of the network, until somebody asks for them. */
  #pairs;

  constructor(body = null, init = undefined) {
    super();
    if (body === bare) return;
    const { status = 200, statusText = '', headers } = dictionary(init, 'Response');
    const code = Number(status), reason = toText(statusText);
    if (!(code >= 200 && code <= 599)) throw new RangeError(`Response: ${code} is no status from 200 to 599`);
    if (test(/[^\t\x20-\x7e\x80-\xff]/, reason)) throw new TypeError('Response: the status text has wrong characters');
    this.#status = trunc(code);
    this.#text = reason;
    this.#headers = new Headers(headers);
    if (body === null || body === undefined) return;
    if (isNullStatus(this.#status)) throw new TypeError(`Response: with status ${this.#status} there is no body`);
    const { type, ...content } = extract(body);
    setBody(this, content);
    if (type !== undefined && !this.#headers.has('content-type')) this.#headers.set('content-type', type);
  }

  get type() { return this.#type; }
  get url() { return this.#url; }
  get redirected() { return this.#redirected; }
  get status() { return this.#status; }
  get ok() { return this.#status >= 200 && this.#status <= 299; }
  get statusText() { return this.#text; }
  get headers() { return this.#headers ??= received(this.#pairs); }

  clone() {
    const copy = new Response();
    cloneBody(this, copy);
    copy.#status = this.#status;
    copy.#text = this.#text;
    copy.#type = this.#type;
    copy.#url = this.#url;
    copy.#redirected = this.#redirected;
    if (this.#headers === undefined) {
      copy.#headers = received(this.#pairs);
      return copy;
    }
    copy.#headers = new Headers(this.#headers);
    if (this.#type !== 'default') freeze(copy.#headers);
    return copy;
  }

  static error() {
    const response = new Response();
    response.#status = 0;
    response.#type = 'error';
    freeze(response.#headers);
    return response;
  }
  static redirect(url, status = 302) {
    need(arguments.length, 1, 'Response.redirect');
    const target = new URL(toText(url)), code = Number(status);
    if (code !== 301 && code !== 302 && code !== 303 && code !== 307 && code !== 308) {
      throw new RangeError(`Response.redirect: ${code} is no status of a redirect`);
    }
    const response = new Response(null, { headers: [['location', target.href]] });
    response.#status = code;
    freeze(response.#headers);
    return response;
  }
  static json(data, init = undefined) {
    need(arguments.length, 1, 'Response.json');
    const text = stringify(data);
    if (text === undefined) throw new TypeError('Response.json: the value is none that JSON can tell');
    const response = new Response(text, init);
    const own = dictionary(init, 'Response').headers;
    if (own === undefined || !new Headers(own).has('content-type')) response.#headers.set('content-type', 'application/json');
    return response;
  }

  static {
    responseFacts = (value) => (isObject(value) && #status in value
      ? { status: value.#status, statusText: value.#text, type: value.#type, url: value.#url,
        redirected: value.#redirected } : undefined);
    respond = ({ status, statusText, headers, url, redirected }, content) => {
      const response = new Response(bare);
      response.#status = status;
      response.#text = statusText;
      response.#pairs = headers;
      response.#type = 'basic';
      response.#url = url;
      response.#redirected = redirected;
      if (content !== null) setBody(response, content);
      return response;
    };
  }
}
const { trunc } = Math;

// Members of `Body` are members of both; the class itself is nobody's business.
for (const [name, type] of Object.entries({ Request, Response })) {
  for (const key of Reflect.ownKeys(Body.prototype)) {
    if (key !== 'constructor') Object.defineProperty(type.prototype, key, Object.getOwnPropertyDescriptor(Body.prototype, key));
  }
  Object.setPrototypeOf(type.prototype, Object.prototype);
  idl(type, name);
}

/** For the module that fetches: what a request asks for, and a response of the network. */
export { bodyOf, requestFacts, respond, responseFacts, sorted };
