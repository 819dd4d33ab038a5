// TextEncoder and TextDecoder over native conversions. Answers { TextEncoder, TextDecoder }.
((native) => {
  'use strict';
  const { encode, encodeInto, decode, concat } = native;
  const ToString = String;
  const trim = Function.prototype.call.bind(String.prototype.trim);
  const toLowerCase = Function.prototype.call.bind(String.prototype.toLowerCase);
  const LABELS = { __proto__: null, 'utf-8': 1, utf8: 1, 'unicode-1-1-utf-8': 1, unicode11utf8: 1, unicode20utf8: 1, 'x-unicode20utf8': 1 };

  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(input = '') { return encode(ToString(input)); }
    encodeInto(source, destination) { return encodeInto(ToString(source), destination); }
  }

  class TextDecoder {
    #fatal;
    #ignoreBOM;
    // bytes of a character that the last chunk cut in two
    #left = undefined;
    // the beginning was seen, so that a byte order mark is text
    #begun = false;

    constructor(label = 'utf-8', options = {}) {
      const name = toLowerCase(trim(ToString(label)));
      if (LABELS[name] !== 1) throw new RangeError(`TextDecoder: '${name}' is not supported, only utf-8`);
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }

    get encoding() { return 'utf-8'; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }

    decode(input = undefined, options = {}) {
      const stream = Boolean(options?.stream);
      const bytes = this.#left === undefined ? input : concat(this.#left, input);
      const keepMark = this.#ignoreBOM || this.#begun;
      this.#left = undefined;
      this.#begun = false;
      const { text, left } = decode(bytes, this.#fatal, keepMark, stream);
      if (stream) {
        this.#left = left;
        this.#begun = keepMark || text !== '' || (left === undefined && this.#begun);
      }
      return text;
    }
  }

  for (const type of [TextEncoder, TextDecoder]) {
    Object.defineProperty(type.prototype, Symbol.toStringTag, { value: type.name, configurable: true });
  }
  return { TextEncoder, TextDecoder };
})
