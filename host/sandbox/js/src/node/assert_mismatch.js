// What assert.throws and assert.rejects say of an error that is none of those expected, as Node does; the package throws it on.
import { inspect } from 'node:util';

const said = (actual, expected, result) => {
  const isError = actual instanceof Error;
  if (expected instanceof RegExp) {
    return `The input did not match the regular expression ${inspect(expected)}. Input:\n\n${inspect(String(actual))}\n`;
  }
  if (Object.prototype.isPrototypeOf.call(Error, expected)) {
    const received = isError ? actual.name : inspect(actual, { depth: -1 });
    const text = `The error is expected to be an instance of "${expected.name}". Received "${received}"`;
    return isError && actual.message ? `${text}\n\nError message:\n\n${actual.message}` : text;
  }
  const name = expected.name ? `"${expected.name}" ` : '';
  const text = `The ${name}validation function is expected to return "true". Received ${inspect(result)}`;
  return isError ? `${text}\n\nCaught error:\n\n${actual}` : text;
};
export const mismatch = (AssertionError, actual, expected, message, operator, result) => {
  const error = new AssertionError({ actual, expected, message: message || said(actual, expected, result), operator });
  error.generatedMessage = !message;
  return error;
};
