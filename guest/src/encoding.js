// TextEncoder and TextDecoder over native conversions. Answers { TextEncoder, TextDecoder }.
((native) => {
  'use strict';
  const { encode, encodeInto, decode, concat } = native;
  const ToString = String;
  const { isView } = ArrayBuffer, Bytes = Uint8Array;
  const getter = (prototype, name) => Function.prototype.call.bind(Object.getOwnPropertyDescriptor(prototype, name).get);
  const typeOfArray = getter(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);
  const bufferOf = getter(DataView.prototype, 'buffer'), offsetOf = getter(DataView.prototype, 'byteOffset');
  const lengthOf = getter(DataView.prototype, 'byteLength');
  const trim = Function.prototype.call.bind(String.prototype.trim);
  const toLowerCase = Function.prototype.call.bind(String.prototype.toLowerCase);
  const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be', 'windows-1252'];
  const LABELS = { __proto__: null };
  // of the encoding standard
  const labels = [
    'utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8',
    'utf-16le utf-16 ucs-2 unicode csunicode iso-10646-ucs-2 unicodefeff',
    'utf-16be unicodefffe',
    'windows-1252 latin1 iso-8859-1 ascii us-ascii cp1252 l1 ansi_x3.4-1968 cp819 csisolatin1 ibm819 iso-ir-100 iso8859-1 iso88591 '
      + 'iso_8859-1 iso_8859-1:1987 x-cp1252',
  ];
  for (let kind = 0; kind < labels.length; kind++) for (const label of labels[kind].split(' ')) LABELS[label] = kind;

  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(input = '') { return encode(ToString(input)); }
    encodeInto(source, destination) { return encodeInto(ToString(source), destination); }
  }

  class TextDecoder {
    #kind;
    #fatal;
    #ignoreBOM;
    // bytes of a character that the last chunk cut in two
    #left = undefined;
    // the beginning was seen, so that a byte order mark is text
    #begun = false;

    constructor(label = 'utf-8', options = {}) {
      const name = toLowerCase(trim(ToString(label)));
      this.#kind = LABELS[name];
      if (this.#kind === undefined) {
        throw new RangeError(`TextDecoder: '${name}' is not supported, only utf-8, utf-16le, utf-16be and windows-1252`);
      }
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }

    get encoding() { return ENCODINGS[this.#kind]; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }

    decode(input = undefined, options = {}) {
      const stream = Boolean(options?.stream);
      // a DataView, which is the one view that is no array
      if (isView(input) && typeOfArray(input) === undefined) input = new Bytes(bufferOf(input), offsetOf(input), lengthOf(input));
      const bytes = this.#left === undefined ? input : concat(this.#left, input);
      const keepMark = this.#ignoreBOM || this.#begun;
      this.#left = undefined;
      this.#begun = false;
      const { text, left, begun } = decode(bytes, this.#fatal, keepMark, stream, this.#kind);
      if (stream) {
        this.#left = left;
        this.#begun = keepMark || begun;
      }
      return text;
    }
  }

  for (const type of [TextEncoder, TextDecoder]) {
    Object.defineProperty(type.prototype, Symbol.toStringTag, { value: type.name, configurable: true });
  }
  return { TextEncoder, TextDecoder };
})
