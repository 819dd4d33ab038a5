import host from "host:yaml";

// The host marks what JSON has no word for.
const NAN = "\u0000NaN";
const revive = (json) => (json.includes("\\u0000NaN") ? JSON.parse(json, (_, value) => (value === NAN ? NaN : value)) : JSON.parse(json));

export function parse(text) { return revive(host.parse(string(text, "text"))); }
export function parseAll(text) { return revive(host.parseAll(string(text, "text"))); }
export { parseAll as parseDocuments };
export function stringify(value, given) {
  const { indent = 2 } = options(given);
  const json = JSON.stringify(value, (_, inner) => (typeof inner === "bigint" && inner >= -(2n ** 63n) && inner < 2n ** 64n ? JSON.rawJSON?.(String(inner)) ?? String(inner) : typeof inner === "bigint" ? String(inner) : inner));
  return host.stringify(json ?? "null", integer(indent, "options.indent", 1, 8));
}
