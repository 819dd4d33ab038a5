import { BufferEncoding } from "buffer";
export class StringDecoder {
  constructor(encoding?: BufferEncoding);
  readonly encoding: BufferEncoding;
  write(chunk: Uint8Array | string): string;
  end(chunk?: Uint8Array | string): string;
}
const string_decoder: { StringDecoder: typeof StringDecoder };
export default string_decoder;
