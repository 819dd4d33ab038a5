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
export interface ReadStream extends Emitter, AsyncIterable<Buffer | string> {
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
  readFile(options: AsBytes): Promise<Buffer>;
  writeFile(data: Data, options?: Written): Promise<void>;
  appendFile(data: Data, options?: Written): Promise<void>;
  stat(): Promise<Stats>;
  truncate(size?: number): Promise<void>;
  close(): Promise<void>;
}
export const constants: { readonly [name: string]: number };

/** Whether a file or directory stands there; false for every path that can't be looked at. */
export function existsSync(path: string): boolean;
/**
 * The whole file: text, or with `null` or `"buffer"` bytes. More than 8 MiB and a quarter of `mem_mb` is EFBIG: open it
 * and read it in parts.
 */
export function readFileSync(path: string, options?: AsText): string;
export function readFileSync(path: string, options: AsBytes): Buffer;
/**
 * Makes the file, or empties it first, and writes all of the data; `flag` says otherwise, as `wx`: EEXIST if it is
 * there.
 */
export function writeFileSync(path: string, data: Data, options?: Written): void;
/** Writes at the end of the file, which is made if there is none. */
export function appendFileSync(path: string, data: Data, options?: Written): void;
/** Throws unless something stands there; with `constants.W_OK` also where the grant is for reading only (EROFS). */
export function accessSync(path: string, mode?: number): void;
/** What stands there, behind symbolic links too. ENOENT if nothing does, or undefined with `throwIfNoEntry: false`. */
export function statSync(path: string): Stats;
export function statSync(path: string, options: { throwIfNoEntry: false }): Stats | undefined;
/** As `statSync`, but of a symbolic link itself. */
export function lstatSync(path: string): Stats;
export function lstatSync(path: string, options: { throwIfNoEntry: false }): Stats | undefined;
/**
 * The names in a directory, sorted. `recursive` goes beneath it, not through symbolic links. More than 100,000 are
 * ENOBUFS.
 */
export function readdirSync(path: string, options?: Encoding | { recursive?: boolean; withFileTypes?: false }): string[];
export function readdirSync(path: string, options: { recursive?: boolean; withFileTypes: true }): Dirent[];
/**
 * Makes a directory; EEXIST if it is there. `recursive` makes those above it too, and answers the first that it made.
 */
export function mkdirSync(path: string, options?: { recursive?: boolean }): string | undefined;
/** Makes a directory of that name with six random characters behind it, and answers its path. */
export function mkdtempSync(prefix: string): string;
/** Removes a file; with `recursive` a directory with all that is in it. `force`: nothing being there is no error. */
export function rmSync(path: string, options?: { recursive?: boolean; force?: boolean }): void;
/** Removes an empty directory; ENOTEMPTY if something is in it. */
export function rmdirSync(path: string): void;
/** Removes a file, or a symbolic link and not what it leads to. Directories are EISDIR. */
export function unlinkSync(path: string): void;
/** Moves a file or directory, over a file or an empty directory that is there. */
export function renameSync(oldPath: string, newPath: string): void;
/** Copies the bytes of a file, over what is there; with `constants.COPYFILE_EXCL` that is EEXIST. */
export function copyFileSync(src: string, dest: string, mode?: number): void;
/** Cuts a file to `len` bytes, 0 unless said, or fills it up with zeros: they count as written. */
export function truncateSync(path: string, len?: number): void;
/** The path from the root, without symbolic links; `.` is the root itself. */
export function realpathSync(path: string): string;
/** Only to something in the link's own directory or beneath it. */
export function symlinkSync(target: string, path: string): void;
/** What a symbolic link says, as it was written. EINVAL if it is none. */
export function readlinkSync(path: string): string;
/** Sets when it was read and written: Dates, or seconds since 1970. */
export function utimesSync(path: string, atime: number | Date, mtime: number | Date): void;
/** A number for an open file, `r` unless said. A session has 64 at most (EMFILE), so close them. */
export function openSync(path: string, flags?: Flag): number;
/** Gives the number back; EBADF if no file is open by it. */
export function closeSync(fd: number): void;
/**
 * Reads into the buffer, from `position` or where the last call ended. Answers how many bytes those were: 0 at the end.
 */
export function readSync(fd: number, buffer: ArrayBufferView, offset?: number, length?: number, position?: number | bigint | null): number;
/**
 * Writes at `position` or where the last call ended; a string is followed by its position and encoding. Answers how
 * many bytes.
 */
export function writeSync(fd: number, data: Data, offset?: number | null, length?: number | Encoding, position?: number | bigint | null): number;
/** What is known of an open file. */
export function fstatSync(fd: number): Stats;
/** Cuts an open file, or fills it up with zeros; EBADF if it isn't open for writing. */
export function ftruncateSync(fd: number, len?: number): void;
/**
 * The file from `start` to `end`, both included, in chunks of 64 KiB unless `highWaterMark` says otherwise: bytes, or
 * text as utf8. What fails is thrown by `for await`, or is an `error` event.
 */
export function createReadStream(path: string, options?: Encoding | ReadOptions): ReadStream;
/**
 * Opens the file, emptied unless `flags` say otherwise, and writes chunk after chunk. What fails is an `error` event.
 */
export function createWriteStream(path: string, options?: Encoding | WriteOptions): WriteStream;

type Callback<T> = (error: Error | null, value: T) => void;
/** As `readFileSync`, for a callback. In `fs/promises` it answers a promise, as all of these do. */
export function readFile(path: string, done: Callback<string>): void;
export function readFile(path: string, options: AsText, done: Callback<string>): void;
export function readFile(path: string, options: AsBytes, done: Callback<Buffer>): void;
/** As `writeFileSync`, for a callback. */
export function writeFile(path: string, data: Data, done: Callback<void>): void;
/** As `appendFileSync`, for a callback. */
export function appendFile(path: string, data: Data, done: Callback<void>): void;
/** As `statSync`, for a callback; ENOENT is its first argument. */
export function stat(path: string, done: Callback<Stats>): void;
/** As `stat`, but of a symbolic link itself. */
export function lstat(path: string, done: Callback<Stats>): void;
/** As `readdirSync`, for a callback: sorted names. */
export function readdir(path: string, done: Callback<string[]>): void;
/** As `mkdirSync`, for a callback. */
export function mkdir(path: string, done: Callback<string | undefined>): void;
/** As `rmSync`, for a callback. */
export function rm(path: string, options: { recursive?: boolean; force?: boolean }, done: Callback<void>): void;
/** As `unlinkSync`, for a callback. */
export function unlink(path: string, done: Callback<void>): void;
/** As `renameSync`, for a callback. */
export function rename(oldPath: string, newPath: string, done: Callback<void>): void;
/** As `copyFileSync`, for a callback. */
export function copyFile(src: string, dest: string, done: Callback<void>): void;

export const promises: typeof import("fs/promises");

// part: fs/promises
import type { AsBytes, AsText, Data, Dirent, Encoding, FileHandle, Flag, Stats, Written } from "fs";
export const constants: { readonly [name: string]: number };
export function readFile(path: string, options?: AsText): Promise<string>;
export function readFile(path: string, options: AsBytes): Promise<Buffer>;
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
