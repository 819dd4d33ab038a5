export type AssertPredicate = RegExp | (new () => object) | ((thrown: any) => boolean) | object | Error;
export class AssertionError extends Error {
  constructor(options?: { message?: string; actual?: unknown; expected?: unknown; operator?: string });
  actual: unknown;
  expected: unknown;
  operator: string;
  generatedMessage: boolean;
  code: "ERR_ASSERTION";
}
export function ok(value: unknown, message?: string | Error): asserts value;
export function equal(actual: unknown, expected: unknown, message?: string | Error): void;
export function notEqual(actual: unknown, expected: unknown, message?: string | Error): void;
export function strictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
export function notStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
export function deepEqual(actual: unknown, expected: unknown, message?: string | Error): void;
export function notDeepEqual(actual: unknown, expected: unknown, message?: string | Error): void;
export function deepStrictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
export function notDeepStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
export function throws(block: () => unknown, message?: string | Error): void;
export function throws(block: () => unknown, error: AssertPredicate, message?: string | Error): void;
export function doesNotThrow(block: () => unknown, error?: AssertPredicate | string, message?: string | Error): void;
export function rejects(block: (() => Promise<unknown>) | Promise<unknown>, message?: string | Error): Promise<void>;
export function rejects(
  block: (() => Promise<unknown>) | Promise<unknown>, error: AssertPredicate, message?: string | Error,
): Promise<void>;
export function doesNotReject(
  block: (() => Promise<unknown>) | Promise<unknown>, error?: AssertPredicate | string, message?: string | Error,
): Promise<void>;
export function match(value: string, pattern: RegExp, message?: string | Error): void;
export function doesNotMatch(value: string, pattern: RegExp, message?: string | Error): void;
export function ifError(value: unknown): asserts value is null | undefined;
export function fail(message?: string | Error): never;
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
export const strict: Assert;
export default assert;
