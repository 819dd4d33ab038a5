export type Encoding = "utf8" | "utf-8" | "latin1" | "binary" | "ascii" | "hex" | "base64" | "base64url" | "utf16le" | "utf-16le" | "ucs2" | "ucs-2";
export type Flag = "r" | "r+" | "w" | "wx" | "w+" | "wx+" | "a" | "ax" | "a+" | "ax+" | number;
/** Text, bytes that are UTF-8, or a URL of `file:`, whose root is the session's. */
export type PathLike = string | Uint8Array | URL;
export type Data = string | ArrayBuffer | ArrayBufferView;
/** No encoding is UTF-8 text; `null` and `"buffer"` are bytes. */
export type AsText = Encoding | { encoding?: Encoding; flag?: Flag; signal?: AbortSignal };
export type AsBytes = null | "buffer" | { encoding: null | "buffer"; flag?: Flag; signal?: AbortSignal };
export type Written = Encoding | { encoding?: Encoding; flag?: Flag; signal?: AbortSignal };
interface HandleStreamOptions { highWaterMark?: number; start?: number; autoClose?: boolean }
export interface HandleReadOptions extends HandleStreamOptions { encoding?: Encoding; end?: number; signal?: AbortSignal }
export interface HandleWriteOptions extends HandleStreamOptions { encoding?: Encoding }
/** With `fd` the path is ignored. */
export interface ReadOptions extends HandleReadOptions { flags?: Flag; fd?: number | FileHandle | null }
export interface WriteOptions extends HandleWriteOptions { flags?: Flag; fd?: number | FileHandle | null }
export interface Part { offset?: number | null; length?: number | null; position?: number | bigint | null }
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
export interface Dirent extends Kinds { name: string; parentPath: string; path: string }
interface Emitter {
  on(event: string, listener: (...args: any[]) => void): this;
  once(event: string, listener: (...args: any[]) => void): this;
  off(event: string, listener: (...args: any[]) => void): this;
}
/** The chunks of a file: `for await` it, or listen to `data`, `end`, `error` and `close`. */
export interface ReadStream extends Emitter, AsyncIterable<Buffer | string> {
  path?: string; fd: number | null; bytesRead: number; destroyed: boolean;
  /** Chunks are text from here on. */
  setEncoding(encoding: Encoding): this;
  /** No chunk comes until `resume`. */
  pause(): this;
  resume(): this;
  isPaused(): boolean;
  pipe<W extends WriteStream>(into: W, options?: { end?: boolean }): W;
  destroy(error?: Error): this;
  close(): void;
}
/** `write` answers false when much is waiting; then `drain` comes. `finish` and `close` follow `end`. */
export interface WriteStream extends Emitter {
  path?: string; bytesWritten: number; writable: boolean;
  write(data: Data, encoding?: Encoding, done?: (error: Error | null) => void): boolean;
  end(data?: Data, encoding?: Encoding, done?: () => void): this;
  close(done?: () => void): this;
  destroy(): this;
}
export interface FileHandle {
  readonly fd: number;
  read(buffer?: ArrayBufferView, offset?: number | null, length?: number | null, position?: number | bigint | null): Promise<{ bytesRead: number; buffer: ArrayBufferView }>;
  read(buffer: ArrayBufferView, options?: Part): Promise<{ bytesRead: number; buffer: ArrayBufferView }>;
  read(options: Part & { buffer?: ArrayBufferView }): Promise<{ bytesRead: number; buffer: ArrayBufferView }>;
  write(data: Exclude<Data, string>, offset?: number | null, length?: number | null, position?: number | bigint | null): Promise<{ bytesWritten: number; buffer: Data }>;
  write(text: string, position?: number | null, encoding?: Encoding): Promise<{ bytesWritten: number; buffer: Data }>;
  readv(buffers: readonly ArrayBufferView[], position?: number | bigint | null): Promise<{ bytesRead: number; buffers: readonly ArrayBufferView[] }>;
  writev(buffers: readonly ArrayBufferView[], position?: number | bigint | null): Promise<{ bytesWritten: number; buffers: readonly ArrayBufferView[] }>;
  readFile(options?: AsText): Promise<string>;
  readFile(options: AsBytes): Promise<Buffer>;
  writeFile(data: Data, options?: Written): Promise<void>;
  appendFile(data: Data, options?: Written): Promise<void>;
  stat(): Promise<Stats>;
  truncate(size?: number): Promise<void>;
  /** The streams close the handle unless `autoClose` is false. */
  createReadStream(options?: Encoding | HandleReadOptions): ReadStream;
  createWriteStream(options?: Encoding | HandleWriteOptions): WriteStream;
  /** The lines without their ends. */
  readLines(options?: HandleReadOptions): AsyncIterable<string>;
  close(): Promise<void>;
}
export const constants: { readonly [name: string]: number };
export const F_OK: number;
export const R_OK: number;
export const W_OK: number;
export const X_OK: number;

/** Whether a file or directory stands there; false for every path that can't be looked at. */
export function existsSync(path: PathLike): boolean;
/**
 * The whole file: text, or with `null` or `"buffer"` bytes. More than 8 MiB and a quarter of `mem_mb` is EFBIG: open it
 * and read it in parts.
 */
export function readFileSync(path: PathLike | number, options?: AsText): string;
export function readFileSync(path: PathLike | number, options: AsBytes): Buffer;
/**
 * Makes the file, or empties it first, and writes all of the data; `flag` says otherwise, as `wx`: EEXIST if it is
 * there.
 */
export function writeFileSync(path: PathLike | number, data: Data, options?: Written): void;
/** Writes at the end of the file, which is made if there is none. */
export function appendFileSync(path: PathLike | number, data: Data, options?: Written): void;
/** Throws unless something stands there; with `constants.W_OK` also where the grant is for reading only (EROFS). */
export function accessSync(path: PathLike, mode?: number): void;
/** What stands there, behind symbolic links too. ENOENT if nothing does, or undefined with `throwIfNoEntry: false`. */
export function statSync(path: PathLike): Stats;
export function statSync(path: PathLike, options: { throwIfNoEntry: false }): Stats | undefined;
/** As `statSync`, but of a symbolic link itself. */
export function lstatSync(path: PathLike): Stats;
export function lstatSync(path: PathLike, options: { throwIfNoEntry: false }): Stats | undefined;
/**
 * The names in a directory, sorted. `recursive` goes beneath it, not through symbolic links. More than 100,000 are
 * ENOBUFS.
 */
export function readdirSync(path: PathLike, options?: Encoding | { recursive?: boolean; withFileTypes?: false }): string[];
export function readdirSync(path: PathLike, options: { recursive?: boolean; withFileTypes: true }): Dirent[];
/**
 * Makes a directory; EEXIST if it is there. `recursive` makes those above it too, and answers the first that it made.
 */
export function mkdirSync(path: PathLike, options?: { recursive?: boolean }): string | undefined;
/** Makes a directory of that name with six random characters behind it, and answers its path. */
export function mkdtempSync(prefix: PathLike): string;
/** Removes a file; with `recursive` a directory with all that is in it. `force`: nothing being there is no error. */
export function rmSync(path: PathLike, options?: { recursive?: boolean; force?: boolean }): void;
/** Removes an empty directory; ENOTEMPTY if something is in it. */
export function rmdirSync(path: PathLike): void;
/** Removes a file, or a symbolic link and not what it leads to. Directories are EISDIR. */
export function unlinkSync(path: PathLike): void;
/** Moves a file or directory, over a file or an empty directory that is there. */
export function renameSync(oldPath: PathLike, newPath: PathLike): void;
/** Copies the bytes of a file, over what is there; with `constants.COPYFILE_EXCL` that is EEXIST. */
export function copyFileSync(src: PathLike, dest: PathLike, mode?: number): void;
/** Cuts a file to `len` bytes, 0 unless said, or fills it up with zeros: they count as written. */
export function truncateSync(path: PathLike, len?: number): void;
/** The path from the root, without symbolic links; `.` is the root itself. */
export function realpathSync(path: PathLike): string;
/** Only to something in the link's own directory or beneath it. */
export function symlinkSync(target: PathLike, path: PathLike): void;
/** What a symbolic link says, as it was written. EINVAL if it is none. */
export function readlinkSync(path: PathLike): string;
/** Sets when it was read and written: Dates, or seconds since 1970. */
export function utimesSync(path: PathLike, atime: number | Date, mtime: number | Date): void;
/** A number for an open file, `r` unless said. A session has 64 at most (EMFILE), so close them. */
export function openSync(path: PathLike, flags?: Flag): number;
/** Gives the number back; EBADF if no file is open by it. */
export function closeSync(fd: number): void;
/**
 * Reads into the buffer, from `position` or where the last call ended. Answers how many bytes those were: 0 at the end.
 */
export function readSync(fd: number, buffer: ArrayBufferView, offset?: number | null, length?: number | null, position?: number | bigint | null): number;
export function readSync(fd: number, buffer: ArrayBufferView, options?: Part): number;
/** Reads into one buffer after the other. */
export function readvSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | bigint | null): number;
/**
 * Writes at `position` or where the last call ended; a string is followed by its position and encoding. Answers how
 * many bytes.
 */
export function writeSync(fd: number, data: Data, offset?: number | null, length?: number | Encoding, position?: number | bigint | null): number;
/** Writes one buffer after the other. */
export function writevSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | bigint | null): number;
/** What is known of an open file. */
export function fstatSync(fd: number): Stats;
/** Cuts an open file, or fills it up with zeros; EBADF if it isn't open for writing. */
export function ftruncateSync(fd: number, len?: number): void;
/**
 * The file from `start` to `end`, both included, in chunks of 64 KiB unless `highWaterMark` says otherwise: bytes, or
 * text with an encoding. What fails is thrown by `for await`, or is an `error` event.
 */
export function createReadStream(path: PathLike | null | undefined, options?: Encoding | ReadOptions): ReadStream;
/**
 * Opens the file, emptied unless `flags` say otherwise, and writes chunk after chunk. What fails is an `error` event.
 */
export function createWriteStream(path: PathLike | null | undefined, options?: Encoding | WriteOptions): WriteStream;

type Callback<T> = (error: Error | null, value: T) => void;
/** As `readFileSync`, for a callback. In `fs/promises` it answers a promise, as all of these do. */
export function readFile(path: PathLike | number, done: Callback<string>): void;
export function readFile(path: PathLike | number, options: AsText, done: Callback<string>): void;
export function readFile(path: PathLike | number, options: AsBytes, done: Callback<Buffer>): void;
/** As `writeFileSync`, for a callback. */
export function writeFile(path: PathLike | number, data: Data, done: Callback<void>): void;
/** As `appendFileSync`, for a callback. */
export function appendFile(path: PathLike | number, data: Data, done: Callback<void>): void;
/** As `statSync`, for a callback; ENOENT is its first argument. */
export function stat(path: PathLike, done: Callback<Stats>): void;
/** As `stat`, but of a symbolic link itself. */
export function lstat(path: PathLike, done: Callback<Stats>): void;
/** As `readdirSync`, for a callback: sorted names. */
export function readdir(path: PathLike, done: Callback<string[]>): void;
/** As `mkdirSync`, for a callback. */
export function mkdir(path: PathLike, done: Callback<string | undefined>): void;
/** As `rmSync`, for a callback. */
export function rm(path: PathLike, options: { recursive?: boolean; force?: boolean }, done: Callback<void>): void;
/** As `unlinkSync`, for a callback. */
export function unlink(path: PathLike, done: Callback<void>): void;
/** As `renameSync`, for a callback. */
export function rename(oldPath: PathLike, newPath: PathLike, done: Callback<void>): void;
/** As `copyFileSync`, for a callback. */
export function copyFile(src: PathLike, dest: PathLike, done: Callback<void>): void;
/** Whether something stands there: it calls back with that alone. */
export function exists(path: PathLike, done: (exists: boolean) => void): void;
type Moved<D> = (error: Error | null, bytes: number, data: D) => void;
/** As `readSync`, for a callback, which has the buffer as its third argument; one is made where none is given. */
export function read(fd: number, done: Moved<Buffer>): void;
export function read<B extends ArrayBufferView = Buffer>(fd: number, options: Part & { buffer?: B }, done: Moved<B>): void;
export function read<B extends ArrayBufferView>(fd: number, buffer: B, options: Part, done: Moved<B>): void;
export function read<B extends ArrayBufferView>(fd: number, buffer: B, offset: number | null, length: number | null, position: number | bigint | null, done: Moved<B>): void;
/** As `writeSync`, for a callback, which has the data as its third argument. */
export function write<D extends Data>(fd: number, data: D, done: Moved<D>): void;
export function write<D extends Data>(fd: number, data: D, offset: number | null | Part, done: Moved<D>): void;
export function write<D extends Data>(fd: number, data: D, offset: number | null, length: number | null | Encoding, done: Moved<D>): void;
export function write<D extends Data>(fd: number, data: D, offset: number | null, length: number | null, position: number | bigint | null, done: Moved<D>): void;

export const promises: typeof import("fs/promises");

// part: fs/promises
import type { AsBytes, AsText, Data, Dirent, Encoding, FileHandle, Flag, PathLike, Stats, Written } from "fs";
export const constants: { readonly [name: string]: number };
export function readFile(path: PathLike | FileHandle, options?: AsText): Promise<string>;
export function readFile(path: PathLike | FileHandle, options: AsBytes): Promise<Buffer>;
export function writeFile(path: PathLike | FileHandle, data: Data, options?: Written): Promise<void>;
export function appendFile(path: PathLike | FileHandle, data: Data, options?: Written): Promise<void>;
export function access(path: PathLike, mode?: number): Promise<void>;
export function stat(path: PathLike): Promise<Stats>;
export function lstat(path: PathLike): Promise<Stats>;
export function readdir(path: PathLike, options?: Encoding | { recursive?: boolean; withFileTypes?: false }): Promise<string[]>;
export function readdir(path: PathLike, options: { recursive?: boolean; withFileTypes: true }): Promise<Dirent[]>;
export function mkdir(path: PathLike, options?: { recursive?: boolean }): Promise<string | undefined>;
export function mkdtemp(prefix: PathLike): Promise<string>;
export function rm(path: PathLike, options?: { recursive?: boolean; force?: boolean }): Promise<void>;
export function rmdir(path: PathLike): Promise<void>;
export function unlink(path: PathLike): Promise<void>;
export function rename(oldPath: PathLike, newPath: PathLike): Promise<void>;
export function copyFile(src: PathLike, dest: PathLike, mode?: number): Promise<void>;
export function truncate(path: PathLike, len?: number): Promise<void>;
export function realpath(path: PathLike): Promise<string>;
export function symlink(target: PathLike, path: PathLike): Promise<void>;
export function readlink(path: PathLike): Promise<string>;
export function utimes(path: PathLike, atime: number | Date, mtime: number | Date): Promise<void>;
export function open(path: PathLike, flags?: Flag): Promise<FileHandle>;
