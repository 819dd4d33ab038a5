export interface ParsedPath { root: string; dir: string; base: string; ext: string; name: string }
export interface PlatformPath {
  readonly sep: "/";
  readonly delimiter: ":";
  readonly posix: PlatformPath;
  basename(path: string, suffix?: string): string;
  dirname(path: string): string;
  extname(path: string): string;
  format(path: Partial<ParsedPath>): string;
  isAbsolute(path: string): boolean;
  join(...paths: string[]): string;
  normalize(path: string): string;
  parse(path: string): ParsedPath;
  relative(from: string, to: string): string;
  /** From the root: a session has no other working directory. */
  resolve(...paths: string[]): string;
  toNamespacedPath(path: string): string;
}
const path: PlatformPath;
export const sep: "/";
export const delimiter: ":";
export const posix: PlatformPath;
export function basename(path: string, suffix?: string): string;
export function dirname(path: string): string;
export function extname(path: string): string;
export function format(path: Partial<ParsedPath>): string;
export function isAbsolute(path: string): boolean;
export function join(...paths: string[]): string;
export function normalize(path: string): string;
export function parse(path: string): ParsedPath;
export function relative(from: string, to: string): string;
export function resolve(...paths: string[]): string;
export function toNamespacedPath(path: string): string;
export default path;
