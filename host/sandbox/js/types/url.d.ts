export interface ParsedUrlQuery { [key: string]: string | string[] | undefined }
/** What `format` makes text of. */
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
  query?: string | null | object;
}
/** What `parse` answers. */
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
/** The parts of a URL, as Node read URLs before there was `URL`; with `parseQuery` its query is an object. */
export function parse(url: string, parseQuery?: boolean, slashesDenoteHost?: boolean): Url;
/** The text of a URL, without what the options leave out. */
export function format(url: URL, options?: URLFormatOptions): string;
/** The text of such parts. */
export function format(url: UrlObject | Url | string): string;
/** Where a link `to` on the page `from` leads. */
export function resolve(from: string, to: string): string;
/** The same, in parts. */
export function resolveObject(from: string, to: string): Url;
/** The domain in Punycode; empty if it is none. */
export function domainToASCII(domain: string): string;
/** The domain with its Punycode as characters; empty if it is none. */
export function domainToUnicode(domain: string): string;
/** The path that a `file:` URL means. */
export function fileURLToPath(url: string | URL): string;
/** The `file:` URL of a path. */
export function pathToFileURL(path: string): URL;
/** What `http.request` of Node wants instead of a URL. */
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
