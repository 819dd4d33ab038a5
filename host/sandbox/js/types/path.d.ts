export interface ParsedPath { root: string; dir: string; base: string; ext: string; name: string }
export interface PlatformPath {
  readonly sep: "/";
  readonly delimiter: ":";
  readonly posix: PlatformPath;
  basename: typeof basename;
  dirname: typeof dirname;
  extname: typeof extname;
  format: typeof format;
  isAbsolute: typeof isAbsolute;
  join: typeof join;
  normalize: typeof normalize;
  parse: typeof parse;
  relative: typeof relative;
  resolve: typeof resolve;
  toNamespacedPath: typeof toNamespacedPath;
}
const path: PlatformPath;
export const sep: "/";
export const delimiter: ":";
export const posix: PlatformPath;
/** The last part of a path, without `suffix` if it ends in that. */
export function basename(path: string, suffix?: string): string;
/** The path without its last part. */
export function dirname(path: string): string;
/** The extension of the last part, with its dot; empty if it has none. */
export function extname(path: string): string;
/** The path of such parts; the opposite of `parse`. */
export function format(path: Partial<ParsedPath>): string;
/** Whether the path begins at the root. */
export function isAbsolute(path: string): boolean;
/** The parts joined with `/`, then normalized. */
export function join(...paths: string[]): string;
/** The path with `.`, `..` and doubled slashes resolved. */
export function normalize(path: string): string;
/** The parts of a path. */
export function parse(path: string): ParsedPath;
/** The way from one path to the other. */
export function relative(from: string, to: string): string;
/** The absolute path, read from right to left. From the root: a session has no other working directory. */
export function resolve(...paths: string[]): string;
/** The path as it is: it means something on Windows alone. */
export function toNamespacedPath(path: string): string;
export default path;
