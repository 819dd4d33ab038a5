// In the place of @exodus/bytes, which brings tables of every old encoding: URLs are made of UTF-8 here.
import { String, encode } from './primordials.js';

const hex = [];
for (let byte = 0; byte < 256; byte++) hex[byte] = `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;

export const percentEncodeAfterEncoding = (encoding, input, set, spaceAsPlus = false) => {
  const bytes = encode(input);
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x20 && spaceAsPlus) text += '+';
    else if (byte <= 0x1f || byte > 0x7e || set.includes(String.fromCharCode(byte))) text += hex[byte];
    else text += String.fromCharCode(byte);
  }
  return text;
};
