import host from "host:env";

export function get(name) {
  return host.get(String(name)) ?? undefined;
}

export function has(name) {
  return get(name) !== undefined;
}

export function all() {
  const values = { __proto__: null };
  for (const [name, value] of host.all()) values[name] = value;
  return Object.freeze(values);
}

export default Object.freeze({ get, has, all });
