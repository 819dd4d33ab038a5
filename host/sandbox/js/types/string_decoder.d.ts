/** What `buffer` knows, too; a template need not list it. */
export type BufferEncoding =
  | "ascii" | "utf8" | "utf-8" | "utf16le" | "utf-16le" | "ucs2" | "ucs-2" | "base64" | "base64url" | "latin1" | "binary" | "hex";
/** Keeps the beginning of a character until the rest of its bytes comes. */
export class StringDecoder {
  constructor(encoding?: BufferEncoding);
  readonly encoding: BufferEncoding;
  write(chunk: Uint8Array | string): string;
  end(chunk?: Uint8Array | string): string;
}
const string_decoder: { StringDecoder: typeof StringDecoder };
export default string_decoder;
