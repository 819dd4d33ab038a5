// Evaluated once, when an image is built: turns the raw imports into `require`, and leaves nothing else behind but
// `__facades` and `__library`, which the host deletes when the last facade and the last library are evaluated.
((imports, nameParameters) => {
  nameParameters(PARAMETERS);
  const modules = Object.create(null);
  const libraries = Object.create(null);
  const { String, Error, Object: { defineProperty, keys, hasOwn }, Reflect: { ownKeys }, JSON: { stringify } } = globalThis;
  const method = (object, name) => Function.prototype.call.bind(object.prototype[name]);
  const startsWith = method(String, "startsWith"), slice = method(String, "slice"), split = method(String, "split");
  const join = method(Array, "join"), filter = method(Array, "filter"), pop = method(Array, "pop");
  const push = method(Array, "push");
  const require = (name) => {
    const asked = String(name);
    const plain = startsWith(asked, "node:") ? slice(asked, 5) : asked;
    const found = modules[plain];
    if (found !== undefined) return found;
    if (asked in libraries) return libraries[asked];
    const known = join([...keys(modules), ...keys(libraries)], ", ") || "no modules";
    throw new Error('Invalid module "' + slice(asked, 0, 200) + '": this template lists ' + known);
  };
  defineProperty(require, "name", { value: "require" });
  defineProperty(globalThis, "require", { value: require, writable: true, configurable: true, enumerable: false });
  // What a request gives a file; there for scripts that were given nothing, too.
  for (const name of ["__ARGS__", "__ENV__"]) {
    defineProperty(globalThis, name, { value: undefined, writable: true, configurable: true, enumerable: false });
  }
  delete globalThis.__imports;
  delete globalThis.__parameters;
  const { freeze } = Object;
  const facades = {
    __proto__: null,
    imports,
    // What the web's classes know of themselves.
    web: globalThis.__web,
    // What `require` answers: the default of the facade, or an object of what it exports by name.
    add(name, namespace, parts, globals) {
      modules[name] = hasOwn(namespace, "default") ? namespace.default : freeze({ ...namespace });
      for (const part of keys(parts)) modules[part] = namespace[parts[part]];
      for (const name of keys(globals)) {
        defineProperty(globalThis, name, { value: namespace[globals[name]], writable: true, configurable: true });
      }
    },
  };
  defineProperty(globalThis, "__facades", { value: facades, configurable: true });

  // The library that is being evaluated: the globals that were there before, and what it exports.
  let before, exports, empty;
  const own = () => filter(ownKeys(globalThis), (key) => typeof key === "string");
  const isModule = (value) => value?.[Symbol.toStringTag] === "Module" || value?.__esModule === true;
  const beneath = (base, path) => {
    const parts = split(base, "/");
    pop(parts);
    for (const part of split(path, "/")) {
      if (part === "..") pop(parts);
      else if (part !== "." && part !== "") push(parts, part);
    }
    return join(parts, "/");
  };
  const steps = {
    __proto__: null,
    begin() {
      before = { __proto__: null };
      for (const key of own()) before[key] = true;
      exports = undefined;
      empty = true;
    },
    // Files are functions; `aliases` has what the names in them mean otherwise: `./lib/a`,
    // from the package's top, and the package's own name.
    commonjs(files, entry, aliases) {
      const cache = { __proto__: null };
      // What bundlers put in the place of this expression; nothing else of `process` is there.
      const process = { env: { NODE_ENV: "production" } };
      const load = (path) => {
        if (path in cache) return cache[path].exports;
        const first = {};
        const module = (cache[path] = { id: path, exports: first });
        const inner = (name) => {
          const asked = String(name), relative = startsWith(asked, ".");
          const full = relative ? beneath(path, asked) : asked;
          const file = aliases[relative ? "./" + full : full] ?? (relative ? full : "");
          if (file in files) return load(file);
          if (!relative) return require(asked);
          throw new Error('Invalid module "' + slice(asked, 0, 200) + '": the package has no such file');
        };
        try {
          files[path].call(first, first, inner, module, process);
        } catch (error) {
          delete cache[path];
          throw error;
        }
        if (path === entry) empty = module.exports === first && keys(first).length === 0;
        return module.exports;
      };
      exports = load(entry);
    },
    module(namespace) {
      exports = namespace;
      empty = keys(namespace).length === 0;
    },
    // Gives the library its names. A script's exports are the globals that it made; of another the one global is made here.
    end(names, global, isScript) {
      const globals = filter(own(), (key) => !(key in before));
      if (isScript) {
        empty = globals.length === 0;
        exports = globals.length === 1 ? globalThis[globals[0]] : { __proto__: null };
        if (globals.length !== 1) for (const key of globals) exports[key] = globalThis[key];
      } else if (global !== "" && !hasOwn(globalThis, global)) {
        const value = isModule(exports) && hasOwn(exports, "default") ? exports.default : exports;
        defineProperty(globalThis, global, { value, writable: true, configurable: true, enumerable: true });
        push(globals, global);
      }
      for (const name of names) libraries[name] = exports;
      const visible = typeof exports === "object" || typeof exports === "function" ? keys(exports ?? {}) : [];
      return stringify({ globals: globals.slice(0, 100), exports: visible.slice(0, 2000), empty });
    },
  };
  defineProperty(globalThis, "__library", { value: steps, configurable: true });
})(globalThis.__imports, globalThis.__parameters);
