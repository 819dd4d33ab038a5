// Errors with a code, and what Node says of wrong arguments. Without util.inspect, so that `path` doesn't bring all of `util`.

export const coded = (Type, code, message) => {
  const error = new Type(message);
  Object.defineProperty(error, 'code', { value: code, writable: true, configurable: true, enumerable: true });
  return error;
};

export const quoted = (text) => {
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : '`';
  return mark + text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n') + mark;
};
const show = (value) => (typeof value === 'string' ? quoted(value) : typeof value === 'bigint' ? `${value}n`
  : Object.is(value, -0) ? '-0' : String(value));

const received = (value) => {
  if (value === null || value === undefined) return ` Received ${value}`;
  if (typeof value === 'function') return ` Received function ${value.name}`;
  if (typeof value === 'object') {
    return value.constructor?.name ? ` Received an instance of ${value.constructor.name}` : ' Received [Object: null prototype] {}';
  }
  let shown = show(value);
  if (shown.length > 28) shown = `${shown.slice(0, 25)}...`;
  return ` Received type ${typeof value} (${shown})`;
};

/** `expected`: "of type string", "an instance of Buffer". */
export const wrongType = (name, expected, value) => {
  const what = name.endsWith(' argument') ? `The ${name}` : `The "${name}" ${name.includes('.') ? 'property' : 'argument'}`;
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', `${what} must be ${expected}.${received(value)}`);
};
const apart = (digits) => digits.replace(/(?<=\d)(?=(?:\d{3})+n?$)/g, '_');
const large = (value) => (typeof value === 'bigint' ? value > 2n ** 32n || value < -(2n ** 32n)
  : Number.isInteger(value) && Math.abs(value) > 2 ** 32);
export const outOfRange = (name, range, value) => {
  const shown = large(value) ? apart(show(value)) : show(value);
  return coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be ${range}. Received ${shown}`);
};
export const unknownEncoding = (encoding) => coded(TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${String(encoding)}`);
export const wrongValue = (name, shown) => coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The argument '${name}' is invalid. Received ${shown}`);
export const needInteger = (value, name, min, max) => {
  if (typeof value !== 'number') throw wrongType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
};
export const needFunction = (value, name) => {
  if (typeof value !== 'function') throw wrongType(name, 'of type function', value);
};
export const needString = (value, name) => {
  if (typeof value !== 'string') throw wrongType(name, 'of type string', value);
};
export const needObject = (value, name) => {
  if (value === null || typeof value !== 'object') throw wrongType(name, 'of type object', value);
};

export class AbortError extends Error {
  constructor(signal) {
    super('The operation was aborted', signal === undefined ? undefined : { cause: signal.reason });
    this.code = 'ABORT_ERR';
    this.name = 'AbortError';
  }
}
export const needSignal = (signal, name = 'options.signal') => {
  if (signal !== undefined && (signal === null || typeof signal !== 'object' || !('aborted' in signal))) {
    throw wrongType(name, 'an instance of AbortSignal', signal);
  }
};
