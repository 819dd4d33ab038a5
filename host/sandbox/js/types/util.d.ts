export interface InspectOptions {
  showHidden?: boolean;
  depth?: number | null;
  colors?: boolean;
  customInspect?: boolean;
  showProxy?: boolean;
  maxArrayLength?: number | null;
  maxStringLength?: number | null;
  breakLength?: number;
  compact?: boolean | number;
  sorted?: boolean | ((a: string, b: string) => number);
  getters?: boolean | "get" | "set";
  numericSeparator?: boolean;
}
export interface Inspect {
  (value: unknown, options?: InspectOptions): string;
  (value: unknown, showHidden?: boolean, depth?: number | null, colors?: boolean): string;
  readonly custom: unique symbol;
  defaultOptions: InspectOptions;
  colors: Record<string, [number, number]>;
  styles: Record<string, string>;
}
/** Text that shows a value, for people. */
export const inspect: Inspect;
/** Text of a format, `%s %d %i %f %j %o %O %c`, and values. */
export function format(format?: unknown, ...args: unknown[]): string;
/** The same, with options for how values are shown. */
export function formatWithOptions(options: InspectOptions, format?: unknown, ...args: unknown[]): string;
export interface Promisify {
  <T>(original: (callback: (error: any, value: T) => void) => void): () => Promise<T>;
  <A1, T>(original: (a1: A1, callback: (error: any, value: T) => void) => void): (a1: A1) => Promise<T>;
  <A1, A2, T>(original: (a1: A1, a2: A2, callback: (error: any, value: T) => void) => void): (a1: A1, a2: A2) => Promise<T>;
  (original: Function): (...args: any[]) => Promise<any>;
  readonly custom: unique symbol;
}
/** A function that answers with a promise, of one that calls back with `(error, value)`. */
export const promisify: Promisify;
export type Callbackified<A extends unknown[], T> = (...args: [...A, (error: any, value: T) => void]) => void;
/** The opposite of `promisify`. */
export function callbackify<A extends unknown[], T>(original: (...args: A) => Promise<T>): Callbackified<A, T>;
/** Makes the prototype of `parent` that of the prototype of `constructor`. */
export function inherits(constructor: Function, parent: Function): void;
/** The same function, which warns when it is called for the first time. */
export function deprecate<T extends Function>(original: T, message: string, code?: string): T;
/** Whether both have the same structure, prototypes and values. */
export function isDeepStrictEqual(a: unknown, b: unknown): boolean;
/** Whether it is an array. */
export function isArray(value: unknown): value is unknown[];
/** Text without the control sequences of terminals. */
export function stripVTControlCharacters(text: string): string;
/** Text between the control sequences of such styles: `bold`, `red`, ... */
export function styleText(style: string | string[], text: string, options?: object): string;
/** Text with U+FFFD for halves of characters. */
export function toUSVString(text: string): string;
/** `enabled` is false: a session has no NODE_DEBUG. */
export interface DebugLogger { (...args: unknown[]): void; readonly enabled: boolean }
/** A function that logs nothing: a session has no NODE_DEBUG. */
export function debuglog(section: string): DebugLogger;
/** Another name of `debuglog`. */
export const debug: typeof debuglog;
/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal, resource: object): Promise<void>;
export interface ParseArgsOption {
  type: "string" | "boolean"; short?: string; multiple?: boolean; default?: string | boolean | string[] | boolean[];
}
export interface ParseArgsConfig {
  args?: string[]; options?: Record<string, ParseArgsOption>; strict?: boolean; allowPositionals?: boolean; tokens?: boolean;
  /** `--no-x` is false for the boolean option `x`. */
  allowNegative?: boolean;
}
export interface ParsedArgs {
  values: Record<string, string | boolean | (string | boolean)[] | undefined>; positionals: string[]; tokens?: object[];
}
/** Without `args` there are none: a session has no command line. */
export function parseArgs(config?: ParseArgsConfig): ParsedArgs;
/** Tells by what the engine made an object, not by its prototype. */
export const types: Record<
  | "isAnyArrayBuffer" | "isArgumentsObject" | "isArrayBuffer" | "isArrayBufferView" | "isAsyncFunction" | "isBigInt64Array"
  | "isBigIntObject" | "isBigUint64Array" | "isBooleanObject" | "isBoxedPrimitive" | "isCryptoKey" | "isDataView" | "isDate"
  | "isEventTarget" | "isExternal" | "isFloat16Array" | "isFloat32Array" | "isFloat64Array" | "isGeneratorFunction"
  | "isGeneratorObject" | "isInt16Array" | "isInt32Array" | "isInt8Array" | "isKeyObject" | "isMap" | "isMapIterator"
  | "isModuleNamespaceObject" | "isNativeError" | "isNumberObject" | "isPromise" | "isProxy" | "isRegExp" | "isSet"
  | "isSetIterator" | "isSharedArrayBuffer" | "isStringObject" | "isSymbolObject" | "isTypedArray" | "isUint16Array"
  | "isUint32Array" | "isUint8Array" | "isUint8ClampedArray" | "isWeakMap" | "isWeakSet",
  (value: unknown) => boolean
>;
export const TextEncoder: typeof globalThis.TextEncoder;
export const TextDecoder: typeof globalThis.TextDecoder;
const util: {
  inspect: Inspect; format: typeof format; formatWithOptions: typeof formatWithOptions; promisify: Promisify;
  callbackify: typeof callbackify; inherits: typeof inherits; deprecate: typeof deprecate;
  isDeepStrictEqual: typeof isDeepStrictEqual; isArray: typeof isArray;
  stripVTControlCharacters: typeof stripVTControlCharacters; styleText: typeof styleText; toUSVString: typeof toUSVString;
  debuglog: typeof debuglog; debug: typeof debuglog; aborted: typeof aborted; parseArgs: typeof parseArgs; types: typeof types;
  TextEncoder: typeof globalThis.TextEncoder; TextDecoder: typeof globalThis.TextDecoder;
};
export default util;
