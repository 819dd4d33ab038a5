// util.inspect and util.format: Node's own, extracted.
import extracted from 'node-inspect-extracted';

export const { inspect, format, formatWithOptions, stripVTControlCharacters } = extracted;

// The web's classes keep their state to themselves. They are shown as the console shows them, by methods as Node's have.
const { describe } = globalThis.__web;
const nameOf = (object) => object.constructor?.name || 'Object';
function custom(depth, options) {
  const told = describe(this);
  if (told === undefined || (told.fields ?? told.entries) === undefined) return this;
  if (depth < 0) return `${nameOf(this)} {}`;
  if (told.fields !== undefined) return `${nameOf(this)} ${inspect(Object.fromEntries(told.fields), { ...options, depth })}`;
  const entries = told.entries.map(([name, value]) => `${inspect(name, options)} => ${inspect(value, options)}`);
  const length = entries.reduce((sum, entry) => sum + stripVTControlCharacters(entry).length + 2, -2);
  if (entries.length === 0) return `${nameOf(this)} {}`;
  return length > options.breakLength ? `${nameOf(this)} {\n  ${entries.join(',\n  ')} }` : `${nameOf(this)} { ${entries.join(', ')} }`;
}
for (const Class of [globalThis.URL, globalThis.URLSearchParams, globalThis.Headers, globalThis.Request, globalThis.Response,
  globalThis.Blob, globalThis.FormData, globalThis.AbortController, globalThis.AbortSignal, globalThis.Event,
  globalThis.ReadableStream, globalThis.WritableStream, globalThis.TransformStream]) {
  Object.defineProperty(Class.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: custom, writable: true, configurable: true });
}
