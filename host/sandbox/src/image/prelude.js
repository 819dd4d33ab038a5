// Evaluated once, when an image is built: turns the raw imports into `require`, and leaves nothing else behind.
((imports, facades, nameParameters) => {
  nameParameters(PARAMETERS);
  const modules = Object.create(null);
  for (const name of Object.keys(facades)) {
    const [id, facade] = facades[name];
    const raw = imports[id];
    modules[name] = Object.freeze(facade ? facade(raw) : raw);
  }
  const known = Object.keys(modules).join(", ") || "no modules";
  const { String, Error, Object: { defineProperty } } = globalThis;
  const startsWith = Function.prototype.call.bind(String.prototype.startsWith);
  const slice = Function.prototype.call.bind(String.prototype.slice);
  const require = (name) => {
    const asked = String(name);
    const plain = startsWith(asked, "node:") ? slice(asked, 5) : asked;
    const found = modules[plain];
    if (found === undefined) {
      throw new Error('Invalid module "' + slice(asked, 0, 200) + '": this template lists ' + known);
    }
    return found;
  };
  defineProperty(require, "name", { value: "require" });
  defineProperty(globalThis, "require", { value: require, writable: true, configurable: true, enumerable: false });
  delete globalThis.__imports;
  delete globalThis.__parameters;
})(globalThis.__imports, FACADES, globalThis.__parameters);
