export interface ParsedUrlQuery { [key: string]: string | string[] | undefined }
export interface ParseOptions { maxKeys?: number; decodeURIComponent?: (text: string) => string }
export interface StringifyOptions { encodeURIComponent?: (text: string) => string }
export function parse(text: string, separator?: string | null, equals?: string | null, options?: ParseOptions): ParsedUrlQuery;
export function stringify(
  value: Record<string, unknown>, separator?: string | null, equals?: string | null, options?: StringifyOptions,
): string;
export function escape(text: string): string;
export function unescape(text: string): string;
export const decode: typeof parse;
export const encode: typeof stringify;
const querystring: {
  parse: typeof parse; stringify: typeof stringify; escape: typeof escape; unescape: typeof unescape; decode: typeof parse;
  encode: typeof stringify;
};
export default querystring;
