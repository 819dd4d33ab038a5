import host from "host:fetch";

const { respond, requestFacts, bodyOf } = __facades.web;
const MANY_MS = 0xffff_ffff;
let last = 0;

const failure = (code, message) => Object.assign(new TypeError(message), { code });

/** What the host says, as the TypeError that the web has for it. */
const told = (error) => (error instanceof Error && typeof error.code === "string" ? failure(error.code, error.message) : error);

const requestOf = (input, init) => {
  const text = requestFacts(input) === undefined ? String(input) : undefined;
  if (text !== undefined && !URL.canParse(text)) {
    throw failure("ERR_INVALID_URL", `fetch: '${text.slice(0, 200)}' is no absolute URL`);
  }
  if (text !== undefined) {
    const { username, password } = new URL(text);
    if (username !== "" || password !== "") {
      throw failure("ERR_INVALID_URL", "fetch: the URL has credentials in it: send a header `authorization` instead");
    }
  }
  try {
    return new Request(text ?? input, init);
  } catch (error) {
    throw error instanceof TypeError && error.code === undefined ? failure("EINVAL", error.message) : error;
  }
};

const timeoutOf = (init) => {
  const wanted = init?.timeout;
  if (wanted === undefined || wanted === null) return 0;
  const ms = Number(wanted);
  if (!(ms > 0)) throw failure("EINVAL", "fetch: timeout is a number of milliseconds above 0");
  return Math.min(Math.ceil(ms), MANY_MS);
};

const bytesOf = async (request) => {
  const body = bodyOf(request);
  return body instanceof ReadableStream ? new Uint8Array(await new Response(body).arrayBuffer()) : body;
};

/** A body that is fetched piece by piece, as it is read. */
const streamOf = (handle, signal) => {
  let controller;
  const abort = () => {
    host.close(handle);
    controller.error(signal.reason);
  };
  const ended = () => signal.removeEventListener("abort", abort);
  return new ReadableStream({
    start(own) {
      controller = own;
      signal.addEventListener("abort", abort);
    },
    async pull() {
      let chunk;
      try {
        chunk = await host.read(handle);
      } catch (error) {
        ended();
        // An abort has told why already.
        if (!signal.aborted) controller.error(told(error));
        return;
      }
      if (signal.aborted) return;
      if (chunk !== null) return controller.enqueue(chunk);
      ended();
      controller.close();
    },
    cancel() {
      ended();
      host.close(handle);
    },
  }, { highWaterMark: 0 });
};

export async function fetch(input, init = undefined) {
  if (arguments.length === 0) throw failure("EINVAL", "fetch: expected a URL or a Request");
  const request = requestOf(input, init), { url, method, headers, signal, fields } = requestFacts(request);
  const timeoutMs = timeoutOf(init);
  signal.throwIfAborted();
  const body = await bytesOf(request);
  signal.throwIfAborted();
  const id = (last = (last + 1) >>> 0);
  const cancel = () => host.cancel(id);
  signal.addEventListener("abort", cancel);
  try {
    const answer = await host.send({ id, url, method, headers: [...headers], redirect: fields.redirect, timeoutMs }, body);
    // Aborted at the very moment that the answer came.
    if (signal.aborted && answer.handle !== 0) host.close(answer.handle);
    signal.throwIfAborted();
    const none = method === "HEAD" || [101, 103, 204, 205, 304].includes(answer.status);
    const content = answer.body === null ? { stream: streamOf(answer.handle, signal) } : { bytes: answer.body };
    return respond({ ...answer, body: none ? null : content });
  } catch (error) {
    signal.throwIfAborted();
    throw told(error);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

export default fetch;

Object.defineProperty(fetch, "fetch", { value: fetch });
Object.defineProperty(globalThis, "fetch", { value: fetch, writable: true, configurable: true, enumerable: true });
