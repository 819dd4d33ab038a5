import host from "host:secrets";

class SecretRef {
  #text;
  constructor(text) {
    this.#text = text;
    Object.freeze(this);
  }
  toString() { return this.#text; }
  toJSON() { return this.#text; }
}

export function ref(name) {
  return new SecretRef(host.placeholder(String(name)));
}

export async function get(name) {
  return host.get(String(name));
}

export default Object.freeze({ ref, get });
