// What several facades begin with: checks of arguments that fail with Node's codes, in Node's words.
const coded = (error, code) => Object.defineProperty(error, "code", { value: code, writable: true, enumerable: true, configurable: true });
const quoted = (text) => `'${text.length > 28 ? text.slice(0, 25) + "..." : text}'`;
function received(value) {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value === "object") return `an instance of ${value.constructor?.name || "Object"}`;
  if (typeof value === "string") return `type string (${quoted(value)})`;
  return `type ${typeof value} (${String(value)}${typeof value === "bigint" ? "n" : ""})`;
}
const kind = (name) => (name.includes(".") ? "property" : "argument");
const wrongType = (name, expected, value) =>
  coded(new TypeError(`The "${name}" ${kind(name)} must be ${expected}. Received ${received(value)}`), "ERR_INVALID_ARG_TYPE");
const wrongValue = (name, value, why = "is invalid") => {
  const shown = typeof value === "string" ? quoted(value) : received(value);
  return coded(new TypeError(`The ${kind(name)} '${name}' ${why}. Received ${shown}`), "ERR_INVALID_ARG_VALUE");
};
function outOfRange(name, range, value) {
  // Large numbers as Node writes them.
  const isLarge = (typeof value === "number" || typeof value === "bigint") && (value > 2 ** 32 || value < -(2 ** 32));
  const shown = isLarge ? String(value).replace(/\B(?=(\d{3})+$)/g, "_") : String(value);
  return coded(new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${shown}`), "ERR_OUT_OF_RANGE");
}
function string(value, name) {
  if (typeof value !== "string") throw wrongType(name, "of type string", value);
  return value;
}
function integer(value, name, min, max) {
  if (typeof value !== "number") throw wrongType(name, "of type number", value);
  if (!Number.isInteger(value)) throw outOfRange(name, "an integer", value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
  return value;
}
function boolean(value, name) {
  if (typeof value !== "boolean") throw wrongType(name, "of type boolean", value);
  return value;
}
// Options are read once, here: a getter has nothing to change afterwards.
function options(value, name = "options") {
  if (value === undefined || value === null) return Object.create(null);
  if (typeof value !== "object" || Array.isArray(value)) throw wrongType(name, "of type object", value);
  return Object.assign(Object.create(null), value);
}
// JSON of a value. Half a pair of surrogates is U+FFFD, as it is wherever text leaves the heap: no reader on the host takes it.
function wellFormed(value, replacer = (_, inner) => inner) {
  const json = JSON.stringify(value, replacer);
  if (json === undefined || !/\\ud[89a-f]/.test(json)) return json;
  return JSON.stringify(value, (key, inner) => {
    const replaced = replacer(key, inner);
    return typeof replaced === "string" ? replaced.toWellFormed() : replaced;
  });
}
