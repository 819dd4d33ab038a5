// The console's formatter: a value as Node's util.inspect shows it.
//
// Evaluated once, before any script. Every built-in it needs is captured here, lists have no prototype, and nothing is
// read through `get`, so that a script that patches the prototypes, or hands in a Proxy, changes nothing and runs nothing.
// Answers `inspect` and what console_methods.js shares with it.
((native) => {
  'use strict';
  const { kindOf, promiseState, proxyTarget, framesOf, quote, enumerableKeys, textMax } = native;
  const { getPrototypeOf, setPrototypeOf, getOwnPropertyDescriptor: descriptorOf, ownKeys } = Reflect;
  // What a script has put into Object.prototype is no part of a descriptor.
  const common = Object.prototype;
  let isPolluted = false;
  const look = () => {
    isPolluted = descriptorOf(common, 'get') !== undefined || descriptorOf(common, 'set') !== undefined
      || descriptorOf(common, 'value') !== undefined;
  };
  const getOwnPropertyDescriptor = (object, key) => {
    const found = descriptorOf(object, key);
    if (isPolluted && found !== undefined) setPrototypeOf(found, null);
    return found;
  };
  const { is } = Object;
  const { bind, call } = Function.prototype;
  const method = bind.bind(call);
  const getter = (prototype, name) => method(getOwnPropertyDescriptor(prototype, name).get);
  const ToString = String;
  const { sqrt, min, max, floor } = Math;
  const charCodeAt = method(String.prototype.charCodeAt), slice = method(String.prototype.slice);
  const indexOf = method(String.prototype.indexOf), repeat = method(String.prototype.repeat);
  const padStart = method(String.prototype.padStart), padEnd = method(String.prototype.padEnd);
  const symbolText = method(Symbol.prototype.toString), functionText = method(Function.prototype.toString);
  const exec = method(RegExp.prototype.exec), regexpSource = getter(RegExp.prototype, 'source');
  const flags = [
    ['hasIndices', 'd'], ['global', 'g'], ['ignoreCase', 'i'], ['multiline', 'm'], ['dotAll', 's'], ['unicode', 'u'], ['unicodeSets', 'v'], ['sticky', 'y'],
  ].map(([name, letter]) => ({ has: getter(RegExp.prototype, name), letter }));
  const regexpText = (regexp) => {
    let text = `/${regexpSource(regexp)}/`;
    for (let i = 0; i < flags.length; i++) if ((0, flags[i].has)(regexp)) text += flags[i].letter;
    return text;
  };
  const isoDate = method(Date.prototype.toISOString), time = method(Date.prototype.getTime);
  const mapSize = getter(Map.prototype, 'size'), mapEach = method(Map.prototype.forEach);
  const setSize = getter(Set.prototype, 'size'), setEach = method(Set.prototype.forEach);
  const bufferLength = getter(ArrayBuffer.prototype, 'byteLength');
  const viewLength = getter(getPrototypeOf(Uint8Array.prototype), 'length');
  const Bytes = Uint8Array, tagSymbol = Symbol.toStringTag;
  // What the web's classes show of themselves, which is no own property: `{ fields }`, `{ entries }` of `[key, value]`,
  // or, of a DOMException, `{ name, message }`; undefined for anything else. Runs nothing of a script's.
  let describe = () => undefined;
  native.describeBy = (describer) => { describe = describer; };
  const boxed = {
    __proto__: null,
    Number: method(Number.prototype.valueOf),
    String: method(String.prototype.valueOf),
    Boolean: method(Boolean.prototype.valueOf),
    Symbol: method(Symbol.prototype.valueOf),
    BigInt: method(BigInt.prototype.valueOf),
  };

  const DEPTH = 2, ITEMS = 100, STRING = 10000, LINE = 80;

  // A list that setters on Array.prototype can't reach.
  const list = () => ({ __proto__: null, length: 0 });
  const push = (items, item) => { items[items.length++] = item; };
  const join = (items, separator) => {
    let text = '';
    for (let i = 0; i < items.length; i++) text += i === 0 ? items[i] : separator + items[i];
    return text;
  };
  const has = (items, item) => {
    for (let i = 0; i < items.length; i++) if (items[i] === item) return true;
    return false;
  };
  const remove = (items, item) => {
    let kept = 0;
    for (let i = 0; i < items.length; i++) if (items[i] !== item) items[kept++] = items[i];
    items.length = kept;
  };
  const includes = (text, part) => indexOf(text, part) !== -1;
  const plural = (count, what) => `${count} more ${what}${count > 1 ? 's' : ''}`;

  // The value of a data property, own or inherited; getters are left alone.
  const data = (object, name) => {
    for (let at = object; at !== null && at !== undefined; at = getPrototypeOf(at)) {
      if (kindOf(at) === 'Proxy') return undefined;
      const found = getOwnPropertyDescriptor(at, name);
      if (found !== undefined) return found.value;
    }
    return undefined;
  };

  const isIdentifier = (text) => {
    for (let i = 0; i < text.length; i++) {
      const c = charCodeAt(text, i);
      const letter = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || c === 36;
      if (!letter && (i === 0 || c < 48 || c > 57)) return false;
    }
    return text.length > 0;
  };

  const isIndex = (key, length) => {
    if (typeof key !== 'string') return false;
    const number = key >>> 0;
    return ToString(number) === key && number < length;
  };

  const numberText = (value) => (is(value, -0) ? '-0' : ToString(value));

  const stringText = (context, value, short) => {
    let rest = '';
    if (value.length > STRING) {
      rest = `... ${plural(value.length - STRING, 'character')}`;
      value = slice(value, 0, STRING);
    }
    // a long text with line breaks is shown line by line
    if (!short && value.length > 16 && value.length > context.line - context.indent - 4 && includes(value, '\n')) {
      const lines = list();
      let from = 0;
      while (from < value.length) {
        const end = indexOf(value, '\n', from);
        const to = end === -1 ? value.length : end + 1;
        push(lines, quote(slice(value, from, to)));
        from = to;
      }
      return join(lines, ` +\n${repeat(' ', context.indent + 2)}`) + rest;
    }
    return quote(value) + rest;
  };

  const primitive = (context, value) => {
    switch (typeof value) {
      case 'string': return stringText(context, value, false);
      case 'number': return numberText(value);
      case 'bigint': return `${ToString(value)}n`;
      case 'symbol': return symbolText(value);
      default: return ToString(value);
    }
  };

  const constructorName = (object) => {
    for (let at = object; at !== null; at = getPrototypeOf(at)) {
      if (kindOf(at) === 'Proxy') return 'Object';
      const found = getOwnPropertyDescriptor(at, 'constructor');
      if (found !== undefined && typeof found.value === 'function' && kindOf(found.value) !== 'Proxy') {
        const name = getOwnPropertyDescriptor(found.value, 'name');
        if (name !== undefined && typeof name.value === 'string' && name.value !== '') return name.value;
      }
    }
    return null;
  };

  const prefix = (constructor, tag, kind, size = '') => {
    const name = constructor === null ? `[${kind}${size}: null prototype]` : `${constructor}${size}`;
    return tag !== '' && tag !== constructor ? `${name} [${tag}] ` : `${name} `;
  };

  const functionBase = (value, constructor, kind) => {
    const named = getOwnPropertyDescriptor(value, 'name');
    const name = named !== undefined && typeof named.value === 'string' ? named.value : '';
    const source = functionText(value);
    if (slice(source, 0, 5) === 'class' && !includes('abcdefghijklmnopqrstuvwxyz0123456789_$(', source[5] ?? ' ')) {
      let base = `[class ${name === '' ? '(anonymous)' : name}`;
      const parent = getPrototypeOf(value);
      if (constructor === null) base += ' extends [null prototype]';
      else if (typeof parent === 'function') {
        const parentName = kindOf(parent) === 'Proxy' ? undefined : getOwnPropertyDescriptor(parent, 'name');
        if (parentName !== undefined && typeof parentName.value === 'string' && parentName.value !== '') {
          base += ` extends ${parentName.value}`;
        }
      }
      return `${base}]`;
    }
    if (!includes(kind, 'Function') || kind === 'BoundFunction') kind = 'Function';
    return `[${constructor === null ? `${kind} (null prototype)` : kind}${name === '' ? ' (anonymous)' : `: ${name}`}]`;
  };

  const ownText = (object, name) => {
    const found = getOwnPropertyDescriptor(object, name);
    return found !== undefined && typeof found.value === 'string' ? found.value : undefined;
  };

  // As Node has it, a title that names the class where a class of errors has no name of its own.
  const improved = (stack, constructor, name, tag) => {
    let size = name.length, fallback = 'Error';
    if (constructor !== null) {
      const next = stack[size], ends = next === undefined || next === ':' || next === '\n';
      if (slice(name, -5) !== 'Error' || slice(stack, 0, size) !== name || !ends) return stack;
    } else {
      const found = exec(/^([A-Z][a-z_ A-Z0-9[\]()-]+)(?::|\n {4}at)/, stack) ?? exec(/^([a-z_A-Z0-9-]*Error)$/, stack);
      size = found === null ? 0 : found[1].length;
      if (size > 0) fallback = found[1];
    }
    const shown = slice(prefix(constructor, tag, fallback), 0, -1);
    if (name === shown) return stack;
    if (!includes(shown, name)) return `${shown} [${name}]${slice(stack, size)}`;
    return size === 0 ? `${shown}: ${stack}` : `${shown}${slice(stack, size)}`;
  };

  const errorBase = (context, error, keys, constructor, tag, known) => {
    const read = (name) => {
      const value = known !== undefined ? known[name] : data(error, name), type = typeof value;
      return value === undefined || type === 'object' || type === 'function' || type === 'symbol' ? undefined : ToString(value);
    };
    const name = read('name') ?? constructor ?? 'Error', message = read('message') ?? '';
    let stack = data(error, 'stack');
    if (typeof stack !== 'string' || stack === '') {
      const frames = framesOf(error);
      stack = name === '' || message === '' ? name + message : `${name}: ${message}`;
      if (typeof frames === 'string' && frames !== '') stack += `\n${frames}`;
    }
    if (getOwnPropertyDescriptor(error, 'cause') !== undefined && !has(keys, 'cause')) push(keys, 'cause');
    if (getOwnPropertyDescriptor(error, 'errors') !== undefined && !has(keys, 'errors')) push(keys, 'errors');
    // what is told above is not told again
    const hide = (told) => {
      const own = getOwnPropertyDescriptor(error, told);
      const type = typeof own?.value;
      if (type !== 'undefined' && type !== 'object' && type !== 'function' && type !== 'symbol' && includes(stack, ToString(own.value))) remove(keys, told);
    };
    hide('name'); hide('message'); hide('stack');
    stack = improved(stack, constructor, name, tag);
    const at = message === '' ? -1 : indexOf(stack, message);
    let text = indexOf(stack, '\n    at', at < 0 ? 0 : at + message.length) < 0 ? `[${stack}]` : stack;
    if (context.indent > 0 && includes(text, '\n')) {
      const pad = repeat(' ', context.indent);
      let out = '';
      for (let i = 0; i < text.length; i++) out += text[i] === '\n' ? `\n${pad}` : text[i];
      text = out;
    }
    return text;
  };

  const property = (context, object, key, depth, isElement) => {
    const found = getOwnPropertyDescriptor(object, key);
    let text;
    if (found === undefined) return `${ToString(key)}: undefined`;
    if (found.get !== undefined) text = found.set !== undefined ? '[Getter/Setter]' : '[Getter]';
    else if (found.set !== undefined) text = '[Setter]';
    else {
      context.indent += 2;
      text = format(context, found.value, depth);
      context.indent -= 2;
    }
    if (isElement) return text;
    let name;
    if (typeof key === 'symbol') name = `[${symbolText(key)}]`;
    else if (key === '__proto__') name = "['__proto__']";
    else if (!found.enumerable) name = `[${key}]`;
    else name = isIdentifier(key) ? key : quote(key);
    return `${name}: ${text}`;
  };

  const elements = (context, array, length, depth, out) => {
    let shown = 0, index = 0;
    while (index < length && shown < context.items) {
      if (getOwnPropertyDescriptor(array, index) === undefined) {
        const from = index;
        // the next key says how far the hole goes, however long it claims to be
        index = nextIndex(array, index, length);
        push(out, `<${index - from} empty item${index - from > 1 ? 's' : ''}>`);
      } else {
        push(out, property(context, array, ToString(index), depth, true));
        index++;
      }
      shown++;
      if (spent(context, out[out.length - 1])) return;
    }
    if (index < length) push(out, `... ${plural(length - index, 'item')}`);
  };

  const nextIndex = (array, after, length) => {
    const keys = ownKeys(array);
    for (let i = 0; i < keys.length; i++) {
      if (!isIndex(keys[i], length)) continue;
      const index = keys[i] >>> 0;
      if (index > after) return index;
    }
    return length;
  };

  const entries = (context, value, kind, depth, out) => {
    let count = 0;
    context.indent += 2;
    const size = kind === 'Map' ? mapSize(value) : setSize(value);
    const add = (item, key) => {
      if (count++ >= context.items || context.left <= 0) return;
      const text = format(context, item, depth);
      push(out, kind === 'Map' ? `${format(context, key, depth)} => ${text}` : text);
      spent(context, out[out.length - 1]);
    };
    if (kind === 'Map') mapEach(value, add);
    else setEach(value, add);
    if (size > context.items) push(out, `... ${plural(size - context.items, 'item')}`);
    context.indent -= 2;
  };

  const described = (context, { fields, entries }, depth, out) => {
    const pairs = fields ?? entries;
    context.indent += 2;
    for (let i = 0; i < pairs.length && i < ITEMS && context.left > 0; i++) {
      const name = pairs[i][0], text = format(context, pairs[i][1], depth);
      if (fields === undefined) push(out, `${quote(name)} => ${text}`);
      else push(out, `${isIdentifier(name) ? name : quote(name)}: ${text}`);
      spent(context, out[out.length - 1]);
    }
    if (pairs.length > ITEMS) push(out, `... ${plural(pairs.length - ITEMS, 'item')}`);
    context.indent -= 2;
  };

  const bytes = (view) => {
    const length = viewLength(view), shown = min(length, 50);
    let text = '';
    for (let i = 0; i < shown; i++) {
      const hex = view[i];
      text += `${i > 0 ? ' ' : ''}${'0123456789abcdef'[hex >> 4]}${'0123456789abcdef'[hex & 15]}`;
    }
    return length > shown ? `${text} ... ${plural(length - shown, 'byte')}` : text;
  };

  // Node's Buffer, at any depth.
  const buffer = (context, value, keys, depth) => {
    let text = `<Buffer ${bytes(value)}`;
    if (depth > context.depth) return `${text}>`;
    push(context.seen, value);
    for (let i = 0; i < keys.length && context.left > 0; i++) {
      const added = `, ${property(context, value, keys[i], depth + 1, false)}`;
      spent(context, added);
      text += added;
    }
    context.seen.length--;
    return `${text}>`;
  };

  // Takes from what the whole output may hold; true when that is used up.
  const spent = (context, text) => {
    context.left -= text.length;
    return context.left <= 0;
  };

  const format = (context, value, depth) => {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return primitive(context, value);
    let kind = kindOf(value);
    while (kind === 'Proxy') {
      value = proxyTarget(value);
      if (value === null) return '<Revoked Proxy>';
      kind = kindOf(value);
    }
    if (has(context.seen, value)) {
      if (!has(context.circular, value)) push(context.circular, value);
      let index = 0;
      while (context.circular[index] !== value) index++;
      return `[Circular *${index + 1}]`;
    }
    return object(context, value, kind, depth);
  };

  const object = (context, value, kind, depth) => {
    const constructor = constructorName(value);
    let tag = data(value, tagSymbol);
    if (typeof tag !== 'string' || tag === constructor || getOwnPropertyDescriptor(value, tagSymbol)?.enumerable) tag = '';
    let base = '', open = '{', close = '}', keys, isList = false, fill = () => {}, indexed = 0;
    const isArray = kind === 'Array', isArguments = kind === 'Arguments';
    const isTyped = viewKinds[kind] === true;
    if (isArray || isArguments || isTyped) {
      indexed = isTyped ? viewLength(value) : data(value, 'length') >>> 0;
      keys = enumerableKeys(value, true);
      isList = true;
      if (kind === 'Uint8Array' && constructor === 'Buffer') return buffer(context, value, keys, depth);
      if (isArguments) open = '[Arguments] [';
      else open = isArray && constructor === 'Array' && tag === '' ? '[' : `${prefix(constructor, isTyped ? '' : tag, kind, `(${indexed})`)}[`;
      close = ']';
      if (indexed === 0 && keys.length === 0) return `${open}]`;
      fill = (out) => elements(context, value, indexed, depth + 1, out);
    } else {
      keys = enumerableKeys(value, kind === 'String');
      switch (kind) {
        case 'Map': case 'Set': {
          const size = kind === 'Map' ? mapSize(value) : setSize(value);
          open = `${prefix(constructor, tag, kind, `(${size})`)}{`;
          if (size === 0 && keys.length === 0) return `${open}}`;
          fill = (out) => entries(context, value, kind, depth + 1, out);
          break;
        }
        case 'Error': base = errorBase(context, value, keys, constructor, tag); break;
        case 'DOMException': base = errorBase(context, value, keys, constructor, tag, describe(value)); break;
        case 'RegExp':
          try { base = regexpText(value); } catch { base = '[RegExp]'; }
          break;
        case 'Date': base = time(value) !== time(value) ? 'Invalid Date' : isoDate(value); break;
        case 'Number': case 'String': case 'Boolean': case 'Symbol': case 'BigInt': {
          const content = boxed[kind](value);
          base = `[${kind}: ${typeof content === 'string' ? quote(content) : primitive(context, content)}]`;
          break;
        }
        case 'Promise':
          open = `${prefix(constructor, tag, kind)}{`;
          fill = (out) => {
            const { state, result } = promiseState(value);
            if (state === 0) return push(out, '<pending>');
            context.indent += 2;
            const text = format(context, result, depth + 1);
            context.indent -= 2;
            push(out, state === 2 ? `<rejected> ${text}` : text);
          };
          break;
        case 'ArrayBuffer':
          open = `${prefix(constructor, tag, kind)}{`;
          fill = (out) => {
            push(out, `[Uint8Contents]: <${bytes(new Bytes(value))}>`);
            push(out, `byteLength: ${bufferLength(value)}`);
          };
          break;
        case 'WeakMap': case 'WeakSet':
          open = `${prefix(constructor, tag, kind)}{`;
          fill = (out) => push(out, '<items unknown>');
          break;
        default:
          if (typeof value === 'function') base = functionBase(value, constructor, kind);
          else if (constructor !== 'Object' || tag !== '') {
            open = `${prefix(constructor, tag, 'Object')}{`;
            const own = describe(value);
            if (own !== undefined) {
              keys = list();
              fill = (out) => described(context, own, depth + 1, out);
              if ((own.fields ?? own.entries).length === 0) return `${open}}`;
              break;
            }
          }
          if (keys.length === 0 && base === '') return `${open}}`;
      }
      if (base !== '' && keys.length === 0) return base;
    }
    if (depth > context.depth) {
      const name = constructor === null ? `${isArray ? 'Array' : 'Object'}: null prototype` : constructor;
      return base !== '' ? base : `[${isArray ? 'Array' : name}]`;
    }
    push(context.seen, value);
    context.current = depth;
    const out = list();
    fill(out);
    for (let i = 0; i < keys.length; i++) {
      if (context.left <= 0) { push(out, `... ${plural(keys.length - i, 'property')}`); break; }
      push(out, property(context, value, keys[i], depth + 1, false));
      spent(context, out[out.length - 1]);
    }
    context.seen.length--;
    let reference = '';
    for (let i = 0; i < context.circular.length; i++) if (context.circular[i] === value) reference = `<ref *${i + 1}> `;
    if (reference !== '') {
      if (base !== '') base = reference + base;
      else open = reference + open;
    }
    return layOut(context, out, base, open, close, isList, depth, indexed > context.items, value);
  };

  const viewKinds = { __proto__: null };
  for (const name of ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array',
    'Uint32Array', 'BigInt64Array', 'BigUint64Array', 'Float16Array', 'Float32Array', 'Float64Array']) viewKinds[name] = true;

  // On one line when it is short and not nested too deep, else a line each.
  const layOut = (context, out, base, open, close, isList, depth, isCut, value) => {
    const count = out.length;
    if (isList && count > 6) out = columns(context, out, isCut, value);
    const start = base === '' ? open : `${base} ${open}`;
    if (context.current - depth < 3 && count === out.length) {
      let total = out.length + context.indent + open.length + base.length + 10 + out.length;
      for (let i = 0; i < out.length && total <= context.line; i++) total += out[i].length;
      if (total <= context.line && !includes(base, '\n')) {
        const line = join(out, ', ');
        if (!includes(line, '\n')) return `${start} ${line} ${close}`;
      }
    }
    const pad = `\n${repeat(' ', context.indent)}`;
    return `${start}${pad}  ${join(out, `,${pad}  `)}${pad}${close}`;
  };

  // More than six elements of a list are set in columns.
  const columns = (context, out, isCut, value) => {
    let total = 0, longest = 0, count = isCut ? out.length - 1 : out.length;
    const lengths = list();
    for (let i = 0; i < count; i++) {
      if (includes(out[i], '\n')) return out;
      push(lengths, out[i].length);
      total += out[i].length + 2;
      longest = max(longest, out[i].length);
    }
    const widest = longest + 2;
    if (widest * 3 + context.indent >= context.line || !(total / widest > 5 || longest <= 6)) return out;
    const bias = sqrt(widest - total / out.length);
    const wanted = max(bias - 3 > 0 ? bias - 3 : 1, 1);
    const across = min(floor(sqrt(2.5 * wanted * count) / wanted), floor((context.line - context.indent) / widest), 12, 15);
    if (across <= 1) return out;
    const widths = list();
    for (let i = 0; i < across; i++) {
      let width = 0;
      for (let j = i; j < count; j += across) width = max(width, lengths[j]);
      push(widths, width + 2);
    }
    let pad = padStart;
    for (let i = 0; i < count; i++) {
      const found = getOwnPropertyDescriptor(value, i);
      if (found === undefined || (typeof found.value !== 'number' && typeof found.value !== 'bigint')) { pad = padEnd; break; }
    }
    const rows = list();
    for (let i = 0; i < count; i += across) {
      const end = min(i + across, count);
      let row = '', j = i;
      for (; j < end - 1; j++) row += pad(`${out[j]}, `, widths[j - i]);
      row += pad === padStart ? padStart(out[j], widths[j - i] - 2) : out[j];
      push(rows, row);
    }
    if (isCut) push(rows, out[count]);
    return rows;
  };

  const inspect = (value, depth, items = ITEMS, line = LINE) => {
    look();
    return format({ depth, items, line, seen: list(), circular: list(), indent: 0, current: 0, left: textMax }, value, 0);
  };

  return { DEPTH, data, includes, inspect, join, list, method, numberText, plural, push };
})
