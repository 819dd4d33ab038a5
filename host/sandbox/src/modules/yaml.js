import host from "host:yaml";

// The host marks what JSON has no word for.
const NAN = "\u0000NaN";
const revive = (json) => (json.includes("\\u0000NaN") ? JSON.parse(json, (_, value) => (value === NAN ? NaN : value)) : JSON.parse(json));

export function parse(text) { return revive(host.parse(string(text, "text"), false)); }
export function parseAll(text) { return revive(host.parse(string(text, "text"), true)); }
export { parseAll as parseDocuments };
export function stringify(value, given) {
  const { indent = 2 } = options(given);
  // A bigint is a number in YAML while the host's numbers hold it, and text beyond.
  const fits = (big) => big >= -(2n ** 63n) && big < 2n ** 64n;
  const big = (_, inner) => (typeof inner === "bigint" ? (fits(inner) && JSON.rawJSON?.(String(inner))) || String(inner) : inner);
  const json = wellFormed(value, big);
  return host.stringify(json ?? "null", integer(indent, "options.indent", 1, 8));
}
