// The streams of TextEncoder and TextDecoder.
import { TransformStream } from 'web-streams-polyfill';
import { charCodeAt, encode, idl, slice, toText } from './primordials.js';

const { TextDecoder } = globalThis;

export class TextEncoderStream {
  #stream; #high = '';
  constructor() {
    this.#stream = new TransformStream({
      // A pair of surrogates may be cut in two.
      transform: (chunk, controller) => {
        let text = this.#high + toText(chunk);
        const last = text === '' ? 0 : charCodeAt(text, text.length - 1);
        this.#high = last >= 0xd800 && last < 0xdc00 ? slice(text, -1) : '';
        if (this.#high !== '') text = slice(text, 0, -1);
        if (text !== '') controller.enqueue(encode(text));
      },
      flush: (controller) => { if (this.#high !== '') controller.enqueue(encode('\ufffd')); },
    });
  }
  get encoding() { return 'utf-8'; }
  get readable() { return this.#stream.readable; }
  get writable() { return this.#stream.writable; }
}
idl(TextEncoderStream, 'TextEncoderStream');

export class TextDecoderStream {
  #stream; #decoder;
  constructor(label = 'utf-8', options = undefined) {
    const decoder = this.#decoder = new TextDecoder(label, options ?? {});
    const send = (text, controller) => { if (text !== '') controller.enqueue(text); };
    this.#stream = new TransformStream({
      transform: (chunk, controller) => send(decoder.decode(chunk, { stream: true }), controller),
      flush: (controller) => send(decoder.decode(), controller),
    });
  }
  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
  get readable() { return this.#stream.readable; }
  get writable() { return this.#stream.writable; }
}
idl(TextDecoderStream, 'TextDecoderStream');
