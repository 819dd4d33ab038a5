export type Encoding = "utf8" | "utf-8" | "latin1" | "binary" | "ascii" | "hex" | "base64" | "base64url" | "utf16le" | "utf-16le" | "ucs2" | "ucs-2";
export type Flag = "r" | "r+" | "w" | "wx" | "w+" | "wx+" | "a" | "ax" | "a+" | "ax+" | number;
export type Data = string | ArrayBuffer | ArrayBufferView;
/** No encoding is UTF-8 text; `null` and `"buffer"` are bytes. */
export type AsText = Encoding | { encoding?: Encoding; flag?: Flag };
export type AsBytes = null | "buffer" | { encoding: null | "buffer"; flag?: Flag };
export type Written = Encoding | { encoding?: Encoding; flag?: Flag };
export interface ReadOptions { encoding?: "utf8" | "utf-8"; highWaterMark?: number; start?: number; end?: number; flags?: Flag }
export interface WriteOptions { encoding?: Encoding; highWaterMark?: number; start?: number; flags?: Flag }
interface Kinds {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
  isCharacterDevice(): boolean;
  isBlockDevice(): boolean;
}
/** What is known of a file. It has neither owner nor inode. */
export interface Stats extends Kinds {
  mode: number; size: number;
  atimeMs: number; mtimeMs: number; ctimeMs: number; birthtimeMs: number;
  atime: Date; mtime: Date; ctime: Date; birthtime: Date;
}
export interface Dirent extends Kinds { name: string; parentPath: string }
interface Emitter {
  on(event: string, listener: (...args: any[]) => void): this;
  once(event: string, listener: (...args: any[]) => void): this;
  off(event: string, listener: (...args: any[]) => void): this;
}
/** The chunks of a file: `for await` it, or listen to `data`, `end`, `error` and `close`. */
export interface ReadStream extends Emitter, AsyncIterable<Uint8Array | string> {
  path: string; bytesRead: number; destroyed: boolean;
  resume(): this;
  pipe<W extends WriteStream>(into: W): W;
  destroy(): this;
  close(): void;
}
/** `write` answers false when much is waiting; then `drain` comes. `finish` and `close` follow `end`. */
export interface WriteStream extends Emitter {
  path: string; bytesWritten: number; writable: boolean;
  write(data: Data, encoding?: Encoding, done?: (error: Error | null) => void): boolean;
  end(data?: Data, encoding?: Encoding, done?: () => void): this;
  close(done?: () => void): this;
  destroy(): this;
}
export interface FileHandle {
  readonly fd: number;
  read(buffer?: ArrayBufferView, offset?: number, length?: number, position?: number | bigint | null): Promise<{ bytesRead: number; buffer: ArrayBufferView }>;
  write(data: Data, offset?: number | null, length?: number, position?: number | bigint | null): Promise<{ bytesWritten: number; buffer: Data }>;
  readFile(options?: "utf8" | { encoding?: "utf8" }): Promise<string>;
  readFile(options: AsBytes): Promise<Uint8Array>;
  writeFile(data: Data, options?: Written): Promise<void>;
  appendFile(data: Data, options?: Written): Promise<void>;
  stat(): Promise<Stats>;
  truncate(size?: number): Promise<void>;
  close(): Promise<void>;
}
export const constants: { readonly [name: string]: number };

export function existsSync(path: string): boolean;
export function readFileSync(path: string, options?: AsText): string;
export function readFileSync(path: string, options: AsBytes): Uint8Array;
export function writeFileSync(path: string, data: Data, options?: Written): void;
export function appendFileSync(path: string, data: Data, options?: Written): void;
export function accessSync(path: string, mode?: number): void;
export function statSync(path: string): Stats;
export function statSync(path: string, options: { throwIfNoEntry: false }): Stats | undefined;
export function lstatSync(path: string): Stats;
export function lstatSync(path: string, options: { throwIfNoEntry: false }): Stats | undefined;
export function readdirSync(path: string, options?: Encoding | { recursive?: boolean; withFileTypes?: false }): string[];
export function readdirSync(path: string, options: { recursive?: boolean; withFileTypes: true }): Dirent[];
export function mkdirSync(path: string, options?: { recursive?: boolean }): string | undefined;
export function mkdtempSync(prefix: string): string;
export function rmSync(path: string, options?: { recursive?: boolean; force?: boolean }): void;
export function rmdirSync(path: string): void;
export function unlinkSync(path: string): void;
export function renameSync(oldPath: string, newPath: string): void;
export function copyFileSync(src: string, dest: string, mode?: number): void;
export function truncateSync(path: string, len?: number): void;
/** The path from the root, without symbolic links; `.` is the root itself. */
export function realpathSync(path: string): string;
/** Only to something in the link's own directory or beneath it. */
export function symlinkSync(target: string, path: string): void;
export function readlinkSync(path: string): string;
export function utimesSync(path: string, atime: number | Date, mtime: number | Date): void;
export function openSync(path: string, flags?: Flag): number;
export function closeSync(fd: number): void;
export function readSync(fd: number, buffer: ArrayBufferView, offset?: number, length?: number, position?: number | bigint | null): number;
export function writeSync(fd: number, data: Data, offset?: number | null, length?: number | Encoding, position?: number | bigint | null): number;
export function fstatSync(fd: number): Stats;
export function ftruncateSync(fd: number, len?: number): void;
export function createReadStream(path: string, options?: Encoding | ReadOptions): ReadStream;
export function createWriteStream(path: string, options?: Encoding | WriteOptions): WriteStream;

type Callback<T> = (error: Error | null, value: T) => void;
export function readFile(path: string, done: Callback<string>): void;
export function readFile(path: string, options: AsText, done: Callback<string>): void;
export function readFile(path: string, options: AsBytes, done: Callback<Uint8Array>): void;
export function writeFile(path: string, data: Data, done: Callback<void>): void;
export function appendFile(path: string, data: Data, done: Callback<void>): void;
export function stat(path: string, done: Callback<Stats>): void;
export function lstat(path: string, done: Callback<Stats>): void;
export function readdir(path: string, done: Callback<string[]>): void;
export function mkdir(path: string, done: Callback<string | undefined>): void;
export function rm(path: string, options: { recursive?: boolean; force?: boolean }, done: Callback<void>): void;
export function unlink(path: string, done: Callback<void>): void;
export function rename(oldPath: string, newPath: string, done: Callback<void>): void;
export function copyFile(src: string, dest: string, done: Callback<void>): void;

export const promises: typeof import("fs/promises");

// part: fs/promises
import type { AsBytes, AsText, Data, Dirent, Encoding, FileHandle, Flag, Stats, Written } from "fs";
export const constants: { readonly [name: string]: number };
export function readFile(path: string, options?: AsText): Promise<string>;
export function readFile(path: string, options: AsBytes): Promise<Uint8Array>;
export function writeFile(path: string, data: Data, options?: Written): Promise<void>;
export function appendFile(path: string, data: Data, options?: Written): Promise<void>;
export function access(path: string, mode?: number): Promise<void>;
export function stat(path: string): Promise<Stats>;
export function lstat(path: string): Promise<Stats>;
export function readdir(path: string, options?: Encoding | { recursive?: boolean; withFileTypes?: false }): Promise<string[]>;
export function readdir(path: string, options: { recursive?: boolean; withFileTypes: true }): Promise<Dirent[]>;
export function mkdir(path: string, options?: { recursive?: boolean }): Promise<string | undefined>;
export function mkdtemp(prefix: string): Promise<string>;
export function rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void>;
export function rmdir(path: string): Promise<void>;
export function unlink(path: string): Promise<void>;
export function rename(oldPath: string, newPath: string): Promise<void>;
export function copyFile(src: string, dest: string, mode?: number): Promise<void>;
export function truncate(path: string, len?: number): Promise<void>;
export function realpath(path: string): Promise<string>;
export function symlink(target: string, path: string): Promise<void>;
export function readlink(path: string): Promise<string>;
export function utimes(path: string, atime: number | Date, mtime: number | Date): Promise<void>;
export function open(path: string, flags?: Flag): Promise<FileHandle>;
