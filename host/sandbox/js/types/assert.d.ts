/** A promise, or a function that answers with one. */
export type Outcome = (() => Promise<unknown>) | Promise<unknown>;
/** What an error must be: of that class, told by that pattern or function, or with those properties. */
export type AssertPredicate = RegExp | (new () => object) | ((thrown: any) => boolean) | object | Error;
/** What a failed assertion throws. */
export class AssertionError extends Error {
  constructor(options?: { message?: string; actual?: unknown; expected?: unknown; operator?: string });
  actual: unknown;
  expected: unknown;
  operator: string;
  generatedMessage: boolean;
  code: "ERR_ASSERTION";
}
/** Throws unless `value` is truthy. */
export function ok(value: unknown, message?: string | Error): asserts value;
/** Throws unless `actual == expected`. */
export function equal(actual: unknown, expected: unknown, message?: string | Error): void;
/** Throws if `actual == expected`. */
export function notEqual(actual: unknown, expected: unknown, message?: string | Error): void;
/** Throws unless both are the same value, as `Object.is` has it. */
export function strictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
/** Throws if both are the same value, as `Object.is` has it. */
export function notStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
/** Throws unless both have the same structure, with primitive values compared by `==`. */
export function deepEqual(actual: unknown, expected: unknown, message?: string | Error): void;
/** Throws if both have the same structure, with primitive values compared by `==`. */
export function notDeepEqual(actual: unknown, expected: unknown, message?: string | Error): void;
/** Throws unless both have the same structure, prototypes and values. */
export function deepStrictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
/** Throws if both have the same structure, prototypes and values. */
export function notDeepStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
/** Throws unless `block` throws. */
export function throws(block: () => unknown, message?: string | Error): void;
/** Throws unless `block` throws an error that is as `error` says. */
export function throws(block: () => unknown, error: AssertPredicate, message?: string | Error): void;
/** Throws if `block` throws, with what it threw in the message. */
export function doesNotThrow(block: () => unknown, error?: AssertPredicate | string, message?: string | Error): void;
/** Rejects unless the promise is rejected. */
export function rejects(run: Outcome, message?: string | Error): Promise<void>;
/** Rejects unless the promise is rejected with an error that is as `error` says. */
export function rejects(run: Outcome, error: AssertPredicate, message?: string | Error): Promise<void>;
/** Rejects if the promise is rejected, with the reason in the message. */
export function doesNotReject(run: Outcome, error?: AssertPredicate | string, message?: string | Error): Promise<void>;
/** Throws unless `value` matches `pattern`. */
export function match(value: string, pattern: RegExp, message?: string | Error): void;
/** Throws if `value` matches `pattern`. */
export function doesNotMatch(value: string, pattern: RegExp, message?: string | Error): void;
/** Throws `value` unless it is null or undefined: for the first argument of callbacks. */
export function ifError(value: unknown): asserts value is null | undefined;
/** Always throws. */
export function fail(message?: string | Error): never;
/** `assert` itself: a function like `ok`, with the others as its properties. */
export interface Assert {
  (value: unknown, message?: string | Error): asserts value;
  AssertionError: typeof AssertionError; ok: typeof ok; equal: typeof equal; notEqual: typeof notEqual;
  strictEqual: typeof strictEqual; notStrictEqual: typeof notStrictEqual; deepEqual: typeof deepEqual;
  notDeepEqual: typeof notDeepEqual; deepStrictEqual: typeof deepStrictEqual; notDeepStrictEqual: typeof notDeepStrictEqual;
  throws: typeof throws; doesNotThrow: typeof doesNotThrow; rejects: typeof rejects; doesNotReject: typeof doesNotReject;
  match: typeof match; doesNotMatch: typeof doesNotMatch; ifError: typeof ifError; fail: typeof fail;
  strict: Assert;
}
const assert: Assert;
/** The same, where `equal` and its kin are `strictEqual` and its kin. */
export const strict: Assert;
export default assert;
