import host from "host:kv";

const { stringify, parse } = JSON;
const LIST_MAX = 1000;

function stored(value) {
  if (value instanceof Uint8Array) return { tag: "bytes", val: value };
  if (value instanceof ArrayBuffer) return { tag: "bytes", val: new Uint8Array(value) };
  const json = stringify(value);
  if (json === undefined) throw new TypeError("can't store " + typeof value + ": expected a JSON value or a Uint8Array");
  return { tag: "json", val: json };
}

function condition(options) {
  const only = options?.ifVersion;
  if (only === undefined) return { tag: "always" };
  if (only === null) return { tag: "absent" };
  return { tag: "version", val: only };
}

function entry(found) {
  const { key, value, version, expiresAt } = found;
  return {
    key,
    value: value.tag === "json" ? parse(value.val) : value.val,
    version: Number(version),
    expiresAt: expiresAt === null || expiresAt === undefined ? null : new Date(Number(expiresAt)),
  };
}

export async function get(key) {
  const found = await host.get(key);
  return found === null || found === undefined ? undefined : entry(found).value;
}

export async function getEntry(key) {
  const found = await host.get(key);
  return found === null || found === undefined ? undefined : entry(found);
}

async function store(key, value, options) {
  const ttl = options?.ttl;
  const version = await host.set(key, stored(value), ttl === undefined ? null : ttl, condition(options));
  return version === null || version === undefined ? undefined : Number(version);
}

export async function set(key, value, options) {
  const version = await store(key, value, options);
  if (version !== undefined) return version;
  const error = new Error("the key has another version than " + String(options.ifVersion));
  error.code = "ECONFLICT";
  throw error;
}

export async function cas(key, version, value, options) {
  return (await store(key, value, { ...options, ifVersion: version })) !== undefined;
}

const remove = async (key, options) => host.delete(key, condition(options));
export { remove as delete };

export async function list(options) {
  const { prefix = "", limit = 100, cursor = null } = typeof options === "string" ? { prefix: options } : (options ?? {});
  const { entries, next } = await host.listEntries(prefix, limit, cursor);
  return { entries: entries.map(entry), cursor: next ?? null };
}

export async function* entries(prefix = "") {
  let cursor = null;
  do {
    const page = await list({ prefix, limit: LIST_MAX, cursor });
    yield* page.entries;
    cursor = page.cursor;
  } while (cursor !== null);
}

export async function increment(key, by = 1) {
  return host.increment(key, by);
}
