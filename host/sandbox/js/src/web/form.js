// FormData, and multipart/form-data both ways.
import {
  Symbol, TypeError, Uint8Array, concat, copyBytes, decode, encode, exec, find, idl, isObject, natives, need,
  pairIterator, push, replace, slice, splice, split, subarray, toLowerCase, toText, toWellFormed, typedLength,
} from './primordials.js';
import { File, blobBytes, fileFacts, isBlob, makeBlob } from './blob.js';

const FormDataIterator = pairIterator('FormData');
let entriesOf, isFormData;
export { entriesOf, isFormData };

const entry = (name, value, filename) => {
  name = toWellFormed(toText(name));
  if (!isBlob(value)) return [name, toWellFormed(toText(value))];
  const facts = fileFacts(value);
  if (facts !== undefined && filename === undefined) return [name, value];
  const lastModified = facts?.lastModified;
  return [name, new File([value], filename ?? 'blob', { type: value.type, lastModified })];
};
const wantsBlob = (count, value, where) => {
  if (count > 2 && !isBlob(value)) throw new TypeError(`FormData.${where}: with a file name the value must be a Blob`);
};

export class FormData {
  #entries = [];
  constructor(form = undefined) {
    if (form !== undefined) throw new TypeError('FormData: there are no form elements here');
  }
  append(name, value, filename = undefined) {
    need(arguments.length, 2, 'FormData.append');
    wantsBlob(arguments.length, value, 'append');
    push(this.#entries, entry(name, value, filename));
  }
  set(name, value, filename = undefined) {
    need(arguments.length, 2, 'FormData.set');
    wantsBlob(arguments.length, value, 'set');
    const made = entry(name, value, filename), entries = this.#entries;
    let at = 0;
    while (at < entries.length && entries[at][0] !== made[0]) at++;
    if (at === entries.length) push(entries, made);
    else entries[at] = made;
    for (let i = entries.length - 1; i > at; i--) if (entries[i][0] === made[0]) splice(entries, i, 1);
  }
  delete(name) {
    const key = toText(name), entries = this.#entries;
    for (let i = entries.length - 1; i >= 0; i--) if (entries[i][0] === key) splice(entries, i, 1);
  }
  get(name) {
    const key = toText(name), entries = this.#entries;
    for (let i = 0; i < entries.length; i++) if (entries[i][0] === key) return entries[i][1];
    return null;
  }
  getAll(name) {
    const key = toText(name), entries = this.#entries, found = [];
    for (let i = 0; i < entries.length; i++) if (entries[i][0] === key) push(found, entries[i][1]);
    return found;
  }
  has(name) { return this.get(name) !== null; }
  forEach(callback, thisArg = undefined) {
    if (typeof callback !== 'function') throw new TypeError('FormData.forEach: the callback is no function');
    const entries = this.#entries;
    for (let i = 0; i < entries.length; i++) callback.call(thisArg, entries[i][1], entries[i][0], this);
  }
  keys() { return new FormDataIterator(() => this.#entries, 'keys'); }
  values() { return new FormDataIterator(() => this.#entries, 'values'); }
  entries() { return new FormDataIterator(() => this.#entries, 'entries'); }
  static {
    isFormData = (value) => isObject(value) && #entries in value;
    entriesOf = (form) => form.#entries;
  }
}
idl(FormData, 'FormData');
Object.defineProperty(FormData.prototype, Symbol.iterator,
  { value: FormData.prototype.entries, writable: true, configurable: true });

const lines = (text) => replace(text, /\r\n?|\n/g, '\r\n');
const escaped = (text) => replace(replace(replace(text, /\n/g, '%0A'), /\r/g, '%0D'), /"/g, '%22');

/** `{ bytes, type }` of a form. */
export const toMultipart = (form) => {
  const random = new Uint8Array(12);
  natives.fillRandom(random);
  let boundary = '----formdata-';
  for (let i = 0; i < 12; i++) boundary += (random[i] < 16 ? '0' : '') + random[i].toString(16);
  const entries = entriesOf(form), chunks = [];
  for (let i = 0; i < entries.length; i++) {
    const [name, value] = [entries[i][0], entries[i][1]];
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(lines(name))}"`;
    const facts = fileFacts(value);
    if (facts === undefined) {
      push(chunks, encode(`${head}\r\n\r\n${lines(value)}\r\n`));
    } else {
      const type = value.type || 'application/octet-stream';
      push(chunks, encode(`${head}; filename="${escaped(facts.name)}"\r\nContent-Type: ${type}\r\n\r\n`));
      push(chunks, blobBytes(value));
      push(chunks, encode('\r\n'));
    }
  }
  push(chunks, encode(`--${boundary}--\r\n`));
  return { bytes: concat(chunks), type: `multipart/form-data; boundary=${boundary}` };
};

// Where `pattern` begins in `bytes` from `from` on, or -1.
const findBytes = (bytes, pattern, from) => {
  const last = typedLength(bytes) - typedLength(pattern);
  for (let at = from; ;) {
    at = indexOfByte(bytes, pattern[0], at);
    if (at < 0 || at > last) return -1;
    let i = 1;
    while (i < pattern.length && bytes[at + i] === pattern[i]) i++;
    if (i === pattern.length) return at;
    at++;
  }
};
const indexOfByte = Function.prototype.call.bind(Uint8Array.prototype.indexOf);

/** The form in the bytes; throws a TypeError when there is none. */
export const fromMultipart = (bytes, boundary) => {
  const wrong = (why) => { throw new TypeError(`multipart/form-data: ${why}`); };
  const mark = encode(`--${boundary}`), next = encode(`\r\n--${boundary}`), blank = encode('\r\n\r\n');
  const form = new FormData(), entries = entriesOf(form);
  let at = findBytes(bytes, mark, 0);
  if (at < 0) wrong('the boundary is not there');
  at += typedLength(mark);
  for (;;) {
    if (bytes[at] === 45 && bytes[at + 1] === 45) return form;
    if (bytes[at] !== 13 || bytes[at + 1] !== 10) wrong('a boundary is not followed by a line break');
    const end = findBytes(bytes, blank, at);
    if (end < 0) wrong('a part has no end of its headers');
    const head = split(decode(subarray(bytes, at + 2, end)), '\r\n');
    let name, filename, type;
    for (let i = 0; i < head.length; i++) {
      const colon = find(head[i], ':'), key = toLowerCase(slice(head[i], 0, colon)), value = slice(head[i], colon + 1);
      if (key === 'content-type') type = replace(value, /^[ \t]+|[ \t]+$/g, '');
      if (key !== 'content-disposition') continue;
      const plain = (found) => (found === null ? undefined
        : replace(replace(replace(found[1], /%0A/gi, '\n'), /%0D/gi, '\r'), /%22/g, '"'));
      name = plain(exec(/;\s*name="([^"]*)"/i, value));
      filename = plain(exec(/;\s*filename="([^"]*)"/i, value));
    }
    if (name === undefined) wrong('a part has no name');
    const from = end + 4, to = findBytes(bytes, next, from);
    if (to < 0) wrong('the last boundary is missing');
    const content = subarray(bytes, from, to);
    if (filename === undefined) push(entries, [name, decode(content)]);
    else push(entries, [name, new File([makeBlob(copyBytes(content), '')], filename, { type: type ?? 'text/plain' })]);
    at = to + typedLength(next);
  }
};
