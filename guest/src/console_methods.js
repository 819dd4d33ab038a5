// What the console's methods write, over the formatter of console.js and by its rules: built-ins are captured, and nothing
// is read through `get`. Each method answers its text, `{ warning }`, or undefined to write nothing.
((native, formatter) => {
  'use strict';
  const { kindOf, proxyTarget, now, textMax } = native;
  const { DEPTH, data, includes, inspect, join, list, method, numberText, plural, push } = formatter;
  const { getOwnPropertyDescriptor, ownKeys } = Reflect;
  const ToString = String, ToNumber = Number, { parseInt, parseFloat } = globalThis;
  const { floor, max, min } = Math;
  const stringify = JSON.stringify;
  const codePointAt = method(String.prototype.codePointAt), slice = method(String.prototype.slice);
  const indexOf = method(String.prototype.indexOf), repeat = method(String.prototype.repeat);
  const padStart = method(String.prototype.padStart), toFixed = method(Number.prototype.toFixed);
  const setEach = method(Set.prototype.forEach), mapEach = method(Map.prototype.forEach);
  const mapGet = method(Map.prototype.get), mapSet = method(Map.prototype.set), mapDelete = method(Map.prototype.delete);

  // `console.dir` goes no deeper, whatever it is asked for, and `console.table` has no more of these.
  const DEPTH_MAX = 100, ROWS_MAX = 1000, COLUMNS_MAX = 100;

  const bare = (value) => (typeof value === 'string' ? value : inspect(value, DEPTH));

  const directive = (letter, value) => {
    switch (letter) {
      case 's':
        if (typeof value === 'string') return value;
        return typeof value === 'object' && value !== null ? inspect(value, 0) : bare(value);
      case 'd': case 'i': case 'f': {
        if (typeof value === 'bigint' && letter !== 'f') return `${ToString(value)}n`;
        if (typeof value === 'symbol' || (typeof value === 'object' && value !== null) || typeof value === 'function') return 'NaN';
        if (letter === 'd') return numberText(ToNumber(value));
        return numberText(letter === 'i' ? parseInt(value) : parseFloat(value));
      }
      case 'j':
        try { return ToString(stringify(value)); } catch { return '[Circular]'; }
      case 'o': return inspect(value, 4);
      case 'O': return inspect(value, DEPTH);
      case 'c': return '';
      default: return undefined;
    }
  };

  const format = function () {
    const count = arguments.length;
    let text = '', next = 0;
    if (count > 1 && typeof arguments[0] === 'string') {
      const template = arguments[0];
      let from = 0;
      next = 1;
      for (let at = indexOf(template, '%'); at !== -1 && at + 1 < template.length; at = indexOf(template, '%', at)) {
        const letter = template[at + 1];
        if (letter === '%') {
          text += slice(template, from, at + 1);
        } else {
          const value = next < count && includes('sdifjoOc', letter) ? directive(letter, arguments[next]) : undefined;
          if (value === undefined) { at += 1; continue; }
          next++;
          text += slice(template, from, at) + value;
        }
        at += 2;
        from = at;
      }
      text += slice(template, from);
    }
    for (; next < count && text.length < textMax; next++) text += (next > 0 ? ' ' : '') + bare(arguments[next]);
    return text;
  };

  // ---- dir

  const isObject = (value) => typeof value === 'object' && value !== null;

  const dir = (value, options) => {
    const asked = isObject(options) ? data(options, 'depth') : undefined;
    if (asked === null) return inspect(value, DEPTH_MAX);
    return inspect(value, typeof asked === 'number' && asked === asked ? min(asked, DEPTH_MAX) : DEPTH);
  };

  // ---- count and time, by their labels

  const counts = new Map(), began = new Map();

  const count = (label = 'default') => {
    label = `${label}`;
    const number = (mapGet(counts, label) ?? 0) + 1;
    mapSet(counts, label, number);
    return `${label}: ${number}`;
  };

  const countReset = (label = 'default') => {
    label = `${label}`;
    return mapDelete(counts, label) ? undefined : { warning: `Warning: Count for '${label}' does not exist` };
  };

  const time = (label = 'default') => {
    label = `${label}`;
    if (mapGet(began, label) !== undefined) return { warning: `Warning: Label '${label}' already exists for console.time()` };
    mapSet(began, label, now());
  };

  const two = (number) => padStart(ToString(number), 2, '0');

  const duration = (ms) => {
    if (ms < 1000) return `${ToNumber(toFixed(ms, 3))}ms`;
    if (ms < 60000) return `${toFixed(ms / 1000, 3)}s`;
    const hours = floor(ms / 3600000), minutes = floor(ms / 60000) % 60;
    const seconds = padStart(toFixed(ms / 1000 % 60, 3), 6, '0');
    return hours > 0 ? `${hours}:${two(minutes)}:${seconds} (h:mm:ss.mmm)` : `${minutes}:${seconds} (m:ss.mmm)`;
  };

  const elapsed = (name, label) => {
    const start = mapGet(began, label);
    if (start === undefined) return { warning: `Warning: No such label '${label}' for console.${name}()` };
    // One that was begun while the image was built is older than the clock of its session.
    const ms = now() - start;
    return `${label}: ${duration(ms < 0 ? 0 : ms)}`;
  };

  const timeEnd = (label = 'default') => {
    label = `${label}`;
    const text = elapsed('timeEnd', label);
    mapDelete(began, label);
    return text;
  };

  const timeLog = function (label = 'default') {
    let text = elapsed('timeLog', `${label}`);
    if (typeof text !== 'string') return text;
    for (let i = 1; i < arguments.length && text.length < textMax; i++) text += ` ${bare(arguments[i])}`;
    return text;
  };

  // ---- table

  const unwrapped = (value) => {
    while ((isObject(value) || typeof value === 'function') && kindOf(value) === 'Proxy') value = proxyTarget(value);
    return value;
  };

  // The first of an object's own enumerable names, and how many there are beyond them.
  const names = (object, most) => {
    const keys = ownKeys(object), found = { __proto__: null, first: list(), more: 0 };
    for (let i = 0; i < keys.length; i++) {
      if (typeof keys[i] !== 'string' || !getOwnPropertyDescriptor(object, keys[i]).enumerable) continue;
      if (found.first.length < most) push(found.first, keys[i]);
      else found.more++;
    }
    return found;
  };

  const cell = (value) => {
    value = unwrapped(value);
    const isWide = isObject(value) && kindOf(value) !== 'Array' && names(value, 2).more > 0;
    return inspect(value, isWide ? -1 : 0, 3, Infinity);
  };

  const member = (found) => {
    if (found.get === undefined && found.set === undefined) return cell(found.value);
    return found.get === undefined ? '[Setter]' : '[Getter]';
  };

  // The columns that are wanted: those that an array names.
  const wanted = (columns) => {
    columns = unwrapped(columns);
    if (columns === undefined) return undefined;
    if (!isObject(columns) || kindOf(columns) !== 'Array') {
      throw new TypeError('console.table: argument 2 (columns): expected an array');
    }
    const found = list(), keys = names(columns, COLUMNS_MAX).first;
    for (let i = 0; i < keys.length; i++) {
      const name = getOwnPropertyDescriptor(columns, keys[i]).value;
      if (typeof name === 'string' || typeof name === 'number') push(found, ToString(name));
    }
    return found;
  };

  // Columns that a terminal takes for a text.
  const width = (text) => {
    let columns = 0;
    for (let i = 0; i < text.length; i++) {
      const c = codePointAt(text, i);
      if (c < 0x300) { columns += c >= 0x20 && (c < 0x7f || c >= 0xa0) ? 1 : 0; continue; }
      if (c > 0xffff) i++;
      if (c <= 0x36f || (c >= 0x200b && c <= 0x200f) || (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe00 && c <= 0xfe0f)
        || (c >= 0xfe20 && c <= 0xfe2f) || (c >= 0xe0100 && c <= 0xe01ef)) continue;
      const isFull = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf && c !== 0x303f) || (c >= 0xac00 && c <= 0xd7a3)
        || (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff01 && c <= 0xff60)
        || (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1f64f) || (c >= 0x1f900 && c <= 0x1f9ff)
        || (c >= 0x20000 && c <= 0x3fffd);
      columns += isFull ? 2 : 1;
    }
    return columns;
  };

  const line = (cells, widths, left, fill, middle, right) => {
    let text = left;
    for (let i = 0; i < widths.length; i++) {
      text += `${i > 0 ? middle : ''}${fill}${cells[i]}${repeat(fill, widths[i] - width(cells[i]))}${fill}`;
    }
    return text + right;
  };

  // `columns`: a list of `{ name, cells, widest }`, whose cells may have gaps.
  const draw = (columns, count) => {
    const widths = list(), heads = list(), nothing = list();
    for (let i = 0; i < columns.length; i++) {
      push(widths, columns[i].widest);
      push(heads, columns[i].name);
      push(nothing, '');
    }
    let text = `${line(nothing, widths, '┌', '─', '┬', '┐')}\n${line(heads, widths, '│', ' ', '│', '│')}\n`;
    text += line(nothing, widths, '├', '─', '┼', '┤');
    for (let row = 0; row < count && text.length < textMax; row++) {
      const cells = list();
      for (let i = 0; i < columns.length; i++) push(cells, columns[i].cells[row] ?? '');
      text += `\n${line(cells, widths, '│', ' ', '│', '│')}`;
    }
    return `${text}\n${line(nothing, widths, '└', '─', '┴', '┘')}`;
  };

  const table = (rows, columns) => {
    const object = unwrapped(rows);
    if (!isObject(object)) return bare(rows);
    const chosen = wanted(columns), kind = kindOf(object);
    // What the cells may hold together: what is past it wouldn't be shown.
    let left = textMax, count = 0, missed = 0;
    const column = (name) => {
      left -= name.length + 3;
      return { __proto__: null, name, cells: { __proto__: null }, widest: width(name) };
    };
    const put = (to, text) => {
      left -= text.length + 3;
      to.cells[count] = text;
      to.widest = max(to.widest, width(text));
    };
    const all = list(), values = column('Values');
    if (kind === 'Map' || kind === 'Set') {
      const index = column('(iteration index)'), keys = column('Key');
      push(all, index);
      if (kind === 'Map') push(all, keys);
      push(all, values);
      const add = (value, key) => {
        if (left <= 0 || count >= ROWS_MAX) { missed++; return; }
        put(index, ToString(count));
        if (kind === 'Map') put(keys, cell(key));
        put(values, cell(value));
        count++;
      };
      if (kind === 'Map') mapEach(object, add);
      else setEach(object, add);
    } else {
      // by name, in the order of an object's keys
      const found = { __proto__: null }, index = column('(index)'), { first: keys, more } = names(object, ROWS_MAX);
      let hasValues = false, columnCount = 0;
      for (; count < keys.length && left > 0; count++) {
        put(index, keys[count]);
        const own = getOwnPropertyDescriptor(object, keys[count]), item = unwrapped(own.value);
        const isPrimitive = !isObject(item) && typeof item !== 'function';
        if (isPrimitive && chosen === undefined) {
          hasValues = true;
          put(values, member(own));
          continue;
        }
        const fields = chosen ?? names(item, COLUMNS_MAX).first;
        for (let i = 0; i < fields.length && left > 0; i++) {
          if (found[fields[i]] === undefined) {
            if (columnCount === COLUMNS_MAX) continue;
            columnCount++;
            found[fields[i]] = column(fields[i]);
          }
          const field = isPrimitive ? undefined : getOwnPropertyDescriptor(item, fields[i]);
          if (field !== undefined) put(found[fields[i]], member(field));
        }
      }
      missed = keys.length - count + more;
      push(all, index);
      const order = ownKeys(found);
      for (let i = 0; i < order.length; i++) push(all, found[order[i]]);
      if (hasValues) push(all, values);
    }
    return draw(all, count) + (missed > 0 ? `\n... ${plural(missed, 'row')}` : '');
  };

  return { format, dir, table, count, countReset, time, timeEnd, timeLog };
})
