export interface ParsedUrlQuery { [key: string]: string | string[] | undefined }
export interface ParseOptions { maxKeys?: number; decodeURIComponent?: (text: string) => string }
export interface StringifyOptions { encodeURIComponent?: (text: string) => string }
/** The fields of a query: a string each, or a list of strings if the name is there several times. */
export function parse(text: string, sep?: string | null, eq?: string | null, options?: ParseOptions): ParsedUrlQuery;
/** The query with these fields. */
export function stringify(value: object, sep?: string | null, eq?: string | null, options?: StringifyOptions): string;
/** Text with what a query must not have as `%XX`. */
export function escape(text: string): string;
/** Text with `%XX` as the characters that they stand for; what is malformed stays. */
export function unescape(text: string): string;
/** Another name of `parse`. */
export const decode: typeof parse;
/** Another name of `stringify`. */
export const encode: typeof stringify;
const querystring: {
  parse: typeof parse; stringify: typeof stringify; escape: typeof escape; unescape: typeof unescape; decode: typeof parse;
  encode: typeof stringify;
};
export default querystring;
/** The bytes of a percent-encoded text; what is no escape stays as it is. */
export function unescapeBuffer(text: string, decodeSpaces?: boolean): Uint8Array;
