// The web's globals, evaluated into every image before anything of a template is. What the engine has natively (timers,
// TextEncoder, atob, DOMException, performance, ...) stays as it is.
import { DOMException, getter, natives, push, test } from './primordials.js';
import * as streams from 'web-streams-polyfill';
import { CustomEvent, Event, EventTarget, isEvent, reportError } from './events.js';
import { AbortController, AbortSignal, isController, isSignal } from './abort.js';
import { Blob, File, fileFacts, isBlob } from './blob.js';
import { FormData, entriesOf, isFormData } from './form.js';
import { Headers, isHeaders, sorted } from './headers.js';
import { Request, Response, bodyOf, requestFacts, respond, responseFacts } from './fetch.js';
import { URL, URLSearchParams, isParams, isUrl } from './url.js';
import { TextDecoderStream, TextEncoderStream } from './encoding.js';
import { Crypto, crypto } from './crypto.js';
import { makeStructuredClone } from './clone.js';
import { session } from './session.js';

const pick = (object, names) => {
  const fields = [];
  for (let i = 0; i < names.length; i++) push(fields, [names[i], object[names[i]]]);
  return { fields };
};
const is = (test) => { try { return test(); } catch { return undefined; } };
const { ReadableStream, WritableStream, TransformStream } = streams;
const exceptionName = getter(DOMException.prototype, 'name'), exceptionMessage = getter(DOMException.prototype, 'message');

const urlParts = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search',
  'searchParams', 'hash'];
const eventParts = ['type', 'defaultPrevented', 'cancelable', 'timeStamp'];
const responseParts = ['status', 'statusText', 'headers', 'body', 'bodyUsed', 'ok', 'redirected', 'type', 'url'];
const requestParts = ['method', 'url', 'headers', 'signal', 'body', 'bodyUsed'];

/** What the console shows of an object that keeps its state to itself; undefined of any other. */
const describe = (value) => is(() => {
  if (isUrl(value)) return pick(value, urlParts);
  if (isParams(value)) return { entries: [...value] };
  if (isHeaders(value)) return { fields: sorted(value) };
  if (isFormData(value)) return { entries: entriesOf(value) };
  if (fileFacts(value) !== undefined) return pick(value, ['size', 'type', 'name', 'lastModified']);
  if (isBlob(value)) return pick(value, ['size', 'type']);
  if (isSignal(value)) return pick(value, ['aborted']);
  if (isController(value)) return pick(value, ['signal']);
  if (isEvent(value)) return pick(value, eventParts);
  if (responseFacts(value) !== undefined) return pick(value, responseParts);
  if (requestFacts(value) !== undefined) return pick(value, requestParts);
  if (value instanceof ReadableStream) return { fields: [['locked', value.locked], ['state', value._state]] };
  if (value instanceof WritableStream) return { fields: [['locked', value.locked], ['state', value._state]] };
  if (value instanceof TransformStream) return pick(value, ['readable', 'writable']);
  if (value instanceof DOMException) return { name: exceptionName(value), message: exceptionMessage(value) };
  return undefined;
});
natives.describeBy(describe);

const structuredClone = makeStructuredClone(
  (value) => value === crypto || value instanceof EventTarget || describe(value) !== undefined);

const globals = {
  ...streams, TextDecoderStream, TextEncoderStream,
  Event, CustomEvent, EventTarget, AbortController, AbortSignal, Blob, File, FormData, Headers, Request, Response,
  URL, URLSearchParams, Crypto, crypto, structuredClone, reportError, session,
};
for (const name of Object.keys(globals)) {
  Object.defineProperty(globalThis, name, { value: globals[name], writable: true, configurable: true, enumerable: false });
}
// The bundler renames what shares its name with a global.
Object.defineProperty(structuredClone, 'name', { value: 'structuredClone', configurable: true });
// For the modules that bring what belongs to these classes, such as fetch. The prelude deletes `__web`.
Object.assign(natives, { bodyOf, requestFacts, respond, sorted, describe });
