// util.types: by what the engine made an object, where it can be asked, else by what only such an object answers.
const { bind, call } = Function.prototype, method = bind.bind(call);
const answers = (prototype, name) => {
  const { get, value } = Object.getOwnPropertyDescriptor(prototype, name), ask = method(get ?? value);
  return (object) => { try { ask(object); return true; } catch { return false; } };
};
const natives = globalThis.__web;
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
const kind = natives === undefined ? undefined : natives.kindOf;
const typed = method(Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get);
const tag = method(Object.prototype.toString);
const of = (name, test) => (kind === undefined ? (value) => isObject(value) && test(value) : (value) => isObject(value) && kind(value) === name);
const view = (name) => (value) => typed(value) === name;
const asTag = (name) => (value) => tag(value) === `[object ${name}]`;
const proxied = (value) => (kind === undefined ? false : isObject(value) && kind(value) === 'Proxy');
const plain = (prototype) => answers(prototype, 'valueOf');

const isNumberObject = of('Number', plain(Number.prototype)), isStringObject = of('String', plain(String.prototype));
const isBooleanObject = of('Boolean', plain(Boolean.prototype)), isBigIntObject = of('BigInt', plain(BigInt.prototype));
const isSymbolObject = of('Symbol', plain(Symbol.prototype));
const isArrayBuffer = of('ArrayBuffer', answers(ArrayBuffer.prototype, 'byteLength'));
const AsyncFunction = Object.getPrototypeOf(async () => {}), Generator = Object.getPrototypeOf(function* () {});
const AsyncGenerator = Object.getPrototypeOf(async function* () {});

const types = {
  isExternal: () => false,
  isDate: of('Date', answers(Date.prototype, 'getTime')),
  isArgumentsObject: of('Arguments', asTag('Arguments')),
  isBigIntObject, isBooleanObject, isNumberObject, isStringObject, isSymbolObject,
  isBoxedPrimitive: (value) => isNumberObject(value) || isStringObject(value) || isBooleanObject(value)
    || isBigIntObject(value) || isSymbolObject(value),
  isNativeError: of('Error', (value) => Error.isError?.(value) ?? asTag('Error')(value)),
  isRegExp: of('RegExp', answers(RegExp.prototype, 'exec')),
  isAsyncFunction: (value) => typeof value === 'function' && (AsyncFunction.isPrototypeOf(value) || AsyncGenerator.isPrototypeOf(value)),
  isGeneratorFunction: (value) => typeof value === 'function' && (Generator.isPrototypeOf(value) || AsyncGenerator.isPrototypeOf(value)),
  isGeneratorObject: of('Generator', asTag('Generator')),
  isPromise: of('Promise', answers(Promise.prototype, 'then')),
  isMap: of('Map', answers(Map.prototype, 'size')),
  isSet: of('Set', answers(Set.prototype, 'size')),
  isMapIterator: of('Map Iterator', asTag('Map Iterator')),
  isSetIterator: of('Set Iterator', asTag('Set Iterator')),
  isWeakMap: of('WeakMap', (value) => { try { WeakMap.prototype.has.call(value, types); return true; } catch { return false; } }),
  isWeakSet: of('WeakSet', (value) => { try { WeakSet.prototype.has.call(value, types); return true; } catch { return false; } }),
  isArrayBuffer,
  isDataView: (value) => ArrayBuffer.isView(value) && typed(value) === undefined,
  isSharedArrayBuffer: () => false,
  isProxy: proxied,
  isModuleNamespaceObject: asTag('Module'),
  isAnyArrayBuffer: isArrayBuffer,
  isCryptoKey: () => false,
  isKeyObject: () => false,
  isEventTarget: (value) => value instanceof EventTarget,
  isArrayBufferView: (value) => ArrayBuffer.isView(value),
  isTypedArray: (value) => typed(value) !== undefined,
};
for (const name of ['Uint8Array', 'Uint8ClampedArray', 'Uint16Array', 'Uint32Array', 'Int8Array', 'Int16Array', 'Int32Array',
  'Float16Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array']) types[`is${name}`] = view(name);
export default types;
