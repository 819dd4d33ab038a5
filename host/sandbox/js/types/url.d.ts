import { ParsedUrlQuery } from "querystring";
export interface UrlObject {
  auth?: string | null;
  hash?: string | null;
  host?: string | null;
  hostname?: string | null;
  href?: string | null;
  pathname?: string | null;
  protocol?: string | null;
  search?: string | null;
  slashes?: boolean | null;
  port?: string | number | null;
  query?: string | null | Record<string, unknown>;
}
export class Url {
  auth: string | null;
  hash: string | null;
  host: string | null;
  hostname: string | null;
  href: string;
  path: string | null;
  pathname: string | null;
  protocol: string | null;
  search: string | null;
  slashes: boolean | null;
  port: string | null;
  query: string | null | ParsedUrlQuery;
}
export interface URLFormatOptions { auth?: boolean; fragment?: boolean; search?: boolean; unicode?: boolean }
export interface HttpOptions {
  protocol: string; hostname: string; hash: string; search: string; pathname: string; path: string; href: string; port?: number;
  auth?: string;
}
export function parse(url: string, parseQuery?: boolean, slashesDenoteHost?: boolean): Url;
export function format(url: URL, options?: URLFormatOptions): string;
export function format(url: UrlObject | Url | string): string;
export function resolve(from: string, to: string): string;
export function resolveObject(from: string, to: string): Url;
export function domainToASCII(domain: string): string;
export function domainToUnicode(domain: string): string;
export function fileURLToPath(url: string | URL): string;
export function pathToFileURL(path: string): URL;
export function urlToHttpOptions(url: URL): HttpOptions;
const URLOfGlobal: typeof globalThis.URL;
const URLSearchParamsOfGlobal: typeof globalThis.URLSearchParams;
export { URLOfGlobal as URL, URLSearchParamsOfGlobal as URLSearchParams };
const url: {
  Url: typeof Url; parse: typeof parse; format: typeof format; resolve: typeof resolve; resolveObject: typeof resolveObject;
  domainToASCII: typeof domainToASCII; domainToUnicode: typeof domainToUnicode; fileURLToPath: typeof fileURLToPath;
  pathToFileURL: typeof pathToFileURL; urlToHttpOptions: typeof urlToHttpOptions; URL: typeof globalThis.URL;
  URLSearchParams: typeof globalThis.URLSearchParams;
};
export default url;
