// TextDecoder's encodings, as the encoding standard has them.
const bytes = (...list) => Uint8Array.from(list);
const attempt = (make) => { try { return make(); } catch (e) { return `${e.name}: ${e.message}`; } };
const show = (...texts) => console.log(JSON.stringify(texts.join('|')).replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
const named = (labels) => [...new Set(labels.split(' ').map((label) => new TextDecoder(label).encoding))].join();
console.log(named('utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 UTF-8')); // expect: utf-8
console.log(named('utf-16le utf-16 ucs-2 unicode csunicode iso-10646-ucs-2 unicodefeff UTF-16LE')); // expect: utf-16le
console.log(named('utf-16be unicodefffe')); // expect: utf-16be
console.log(named('windows-1252 latin1 iso-8859-1 ascii us-ascii cp1252 l1 ansi_x3.4-1968 cp819 csisolatin1 ibm819 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 x-cp1252 Latin1')); // expect: windows-1252
console.log(new TextDecoder(' \n latin1\t').encoding, attempt(() => new TextDecoder('koi8-r'))); // expect: windows-1252 RangeError: TextDecoder: 'koi8-r' is not supported, only utf-8, utf-16le, utf-16be and windows-1252
console.log(attempt(() => new TextDecoder('__proto__'))); // expect: RangeError: TextDecoder: '__proto__' is not supported, only utf-8, utf-16le, utf-16be and windows-1252

// UTF-16: pairs, byte order marks, and what is broken.
const le = (...units) => new Uint8Array(Uint16Array.from(units).buffer);
const be = (...units) => bytes(...units.flatMap((unit) => [unit >> 8, unit & 255]));
const utf16 = new TextDecoder('utf-16le'), big = new TextDecoder('utf-16be');
console.log(utf16.decode(le(0x68, 0xe9, 0x20ac, 0xd83d, 0xde42)), big.decode(be(0x68, 0xe9, 0x20ac, 0xd83d, 0xde42)), utf16.decode() === ''); // expect: hé€🙂 hé€🙂 true
console.log(utf16.decode(new DataView(le(1, 0x68, 0x69).buffer, 2)), utf16.decode(le(0x68).buffer)); // expect: hi h
show(utf16.decode(le(0xfeff, 0x61)), utf16.decode(le(0x61, 0xfeff)), new TextDecoder('utf-16le', { ignoreBOM: true }).decode(le(0xfeff, 0x61)), utf16.decode(be(0xfeff))); // expect: "a|a\ufeff|\ufeffa|\ufffe"
show(big.decode(be(0xfeff, 0x61)), new TextDecoder('utf-16be', { ignoreBOM: true }).decode(be(0xfeff, 0x61))); // expect: "a|\ufeffa"
show(utf16.decode(le(0xd800, 0x61)), utf16.decode(le(0xdc00, 0x61)), utf16.decode(le(0x61, 0xd800)), utf16.decode(le(0xd800, 0xd800, 0xdc00))); // expect: "\ufffda|\ufffda|a\ufffd|\ufffd\ud800\udc00"
show(utf16.decode(bytes(0x61)), utf16.decode(bytes(0x61, 0, 0x62)), utf16.decode(bytes(0, 0xd8, 0x62))); // expect: "\ufffd|a\ufffd|\ufffd"
const strict = new TextDecoder('utf-16le', { fatal: true });
console.log(strict.decode(le(0x61)), attempt(() => strict.decode(le(0xd800, 0x61))), attempt(() => strict.decode(bytes(0x61)))); // expect: a TypeError: The encoded data was not valid utf-16le TypeError: The encoded data was not valid utf-16le
console.log(attempt(() => new TextDecoder('utf-16be', { fatal: true }).decode(be(0xd800)))); // expect: TypeError: The encoded data was not valid utf-16be

// Byte by byte it is the same text.
const pieces = (decoder, all) => {
  let text = '';
  for (const byte of all) text += decoder.decode(bytes(byte), { stream: true });
  return text + decoder.decode();
};
show(pieces(utf16, le(0xfeff, 0xfeff, 0x61, 0xd83d, 0xde42, 0xd800, 0x62))); // expect: "\ufeffa\ud83d\ude42\ufffdb"
show(pieces(big, be(0xfeff, 0xfeff, 0x61, 0xd83d, 0xde42, 0xd800)), pieces(utf16, bytes(0x61, 0, 0x62)), pieces(utf16, le(0xfeff))); // expect: "\ufeffa\ud83d\ude42\ufffd|a\ufffd|"
show(pieces(new TextDecoder(), bytes(0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, 0xc3, 0xa9))); // expect: "\ufeff\u00e9"
const marked = new TextDecoder();
show(marked.decode(bytes(0xef, 0xbb, 0xbf), { stream: true }), marked.decode(bytes(0xef, 0xbb, 0xbf), { stream: true }), marked.decode(), marked.decode(bytes(0xef, 0xbb, 0xbf, 0x61))); // expect: "|\ufeff||a"
console.log(attempt(() => pieces(strict, le(0x61, 0xd800)))); // expect: TypeError: The encoded data was not valid utf-16le

// windows-1252: every byte is a character.
const latin = new TextDecoder('latin1', { fatal: true });
show(latin.decode(Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i))); // expect: "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178"
const rest = [...latin.decode(Uint8Array.from({ length: 256 }, (_, i) => i))].map((c) => c.charCodeAt(0));
console.log(rest.length, rest.every((code, i) => code === i || (i >= 0x80 && i < 0xa0))); // expect: 256 true
show(pieces(latin, bytes(0x63, 0xe9, 0xff, 0xfe)), latin.decode(bytes(0xef, 0xbb, 0xbf)), latin.decode(bytes(0x61))); // expect: "c\u00e9\u00ff\u00fe|\u00ef\u00bb\u00bf|a"
const long = 'aé€'.repeat(100_000);
console.log(utf16.decode(new Uint8Array(Uint16Array.from(long, (c) => c.charCodeAt(0)).buffer)) === long); // expect: true

// Streams of them.
const read = async (stream) => { let text = ''; for await (const part of stream) text += part; return text; };
const stream = new TextDecoderStream('utf-16le');
console.log(stream.encoding, await read(ReadableStream.from([bytes(0x3d), bytes(0xd8, 0x42), bytes(0xde, 0x21), bytes(0)]).pipeThrough(stream))); // expect: utf-16le 🙂!
console.log(await read(ReadableStream.from([bytes(0x80)]).pipeThrough(new TextDecoderStream('windows-1252')))); // expect: €
