import host from "host:fetch";

const { respond, requestFacts, bodyOf, sorted } = __facades.web;
const MANY_MS = 0xffff_ffff;
let last = 0;

const failure = (code, message) => Object.assign(new TypeError(message), { code });

/** What the host says, as the TypeError that the web has for it. */
const told = (error) => (error instanceof Error && typeof error.code === "string" ? failure(error.code, error.message) : error);

const NORMAL = { __proto__: null, delete: "DELETE", get: "GET", head: "HEAD", options: "OPTIONS", post: "POST", put: "PUT" };
const encoder = new TextEncoder();
const invalid = (error) => {
  throw error instanceof TypeError && error.code === undefined ? failure("EINVAL", error.message) : error;
};

/**
 * What most requests are: an address, and a body that needs no thought. The host reads the address and checks the rest;
 * a Request would read the address in JavaScript first, which takes longer than the whole of this.
 */
const simple = (url, { method = "GET", headers, body = null, signal, redirect = "follow" }) => {
  if (redirect !== "follow" && redirect !== "manual" && redirect !== "error") {
    throw failure("EINVAL", `fetch: '${redirect}' is no value of redirect`);
  }
  const pairs = headers === undefined ? [] : sorted(new Headers(headers));
  const text = typeof body === "string";
  if (text && !pairs.some(([name]) => name === "content-type")) pairs.push(["content-type", "text/plain;charset=UTF-8"]);
  const known = NORMAL[String(method).toLowerCase()] ?? String(method);
  return { url, method: known, headers: pairs, body: text ? encoder.encode(body) : body, signal, redirect };
};

const whole = async (input, init) => {
  const request = new Request(input, init), { url, method, headers, signal, fields } = requestFacts(request);
  const body = bodyOf(request);
  const bytes = body instanceof ReadableStream ? new Uint8Array(await new Response(body).arrayBuffer()) : body;
  return { url, method, headers: [...headers], body: bytes, signal, redirect: fields.redirect };
};

const isSimple = (input, { body, signal }) => requestFacts(input) === undefined
  && (body === undefined || body === null || typeof body === "string" || Object.getPrototypeOf(body) === Uint8Array.prototype)
  && (signal === undefined || signal instanceof AbortSignal);

/** What is sent, or a promise of it. */
const requestOf = (input, init) => {
  try {
    if (init === undefined && typeof input === "string") {
      return { url: input, method: "GET", headers: [], body: null, signal: undefined, redirect: "follow" };
    }
    const options = init ?? {};
    return isSimple(input, options) ? simple(String(input), options) : whole(input, options).catch(invalid);
  } catch (error) {
    return invalid(error);
  }
};

const isNullStatus = (status) => status === 204 || status === 304 || status === 205 || status === 101 || status === 103;

const timeoutOf = (init) => {
  const wanted = init.timeout;
  if (wanted === undefined || wanted === null) return 0;
  const ms = Number(wanted);
  if (!(ms > 0)) throw failure("EINVAL", "fetch: timeout is a number of milliseconds above 0");
  return Math.min(Math.ceil(ms), MANY_MS);
};

/** A body that is fetched piece by piece, as it is read. */
const streamOf = (handle, signal) => {
  let controller;
  const abort = () => {
    host.giveUp({ tag: "body", val: handle });
    controller.error(signal.reason);
  };
  const ended = () => signal?.removeEventListener("abort", abort);
  return new ReadableStream({
    start(own) {
      controller = own;
      signal?.addEventListener("abort", abort);
    },
    async pull() {
      let chunk;
      try {
        chunk = await host.read(handle);
      } catch (error) {
        ended();
        // An abort has told why already.
        if (!signal?.aborted) controller.error(told(error));
        return;
      }
      if (signal?.aborted) return;
      if (chunk !== null) return controller.enqueue(chunk);
      ended();
      controller.close();
    },
    cancel() {
      ended();
      host.giveUp({ tag: "body", val: handle });
    },
  }, { highWaterMark: 0 });
};

export async function fetch(input, init = undefined) {
  if (arguments.length === 0) throw failure("EINVAL", "fetch: expected a URL or a Request");
  let timeoutMs = 0;
  if (init !== undefined && init !== null) {
    timeoutMs = timeoutOf(init);
    if (typeof init !== "object") throw failure("EINVAL", "fetch: the second argument is no object");
    init.signal?.throwIfAborted?.();
  }
  const wanted = requestOf(input, init ?? undefined);
  const { url, method, headers, body, signal, redirect } = wanted.url === undefined ? await wanted : wanted;
  signal?.throwIfAborted();
  const id = (last = (last + 1) >>> 0);
  const cancel = signal && (() => host.giveUp({ tag: "request", val: id }));
  signal?.addEventListener("abort", cancel);
  try {
    const answer = await host.send({ id, url, method, headers, redirect, timeoutMs }, body);
    if (signal?.aborted) {
      // Aborted at the very moment that the answer came.
      if (answer.handle !== 0) host.giveUp({ tag: "body", val: answer.handle });
      signal.throwIfAborted();
    }
    if (method === "HEAD" || isNullStatus(answer.status)) return respond(answer, null);
    return respond(answer, answer.body === null ? { stream: streamOf(answer.handle, signal) } : { bytes: answer.body });
  } catch (error) {
    signal?.throwIfAborted();
    throw told(error);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

export default fetch;

Object.defineProperty(fetch, "fetch", { value: fetch });
Object.defineProperty(globalThis, "fetch", { value: fetch, writable: true, configurable: true, enumerable: true });
