import host from "host:csv";

const character = (value, name) => {
  if (string(value, name).length !== 1) throw wrongValue(name, value, "must be one character");
  return value;
};
function dialect({ delimiter = ",", quote = '"', escape, comment }) {
  const optional = (value, name) => (value === undefined || value === null ? null : character(value, name));
  return {
    delimiter: character(delimiter, "options.delimiter"), quote: character(quote, "options.quote"),
    escape: optional(escape, "options.escape"), comment: optional(comment, "options.comment"),
  };
}
const flag = (value, name) => value !== undefined && boolean(value, name);
function names(columns, name) {
  if (!Array.isArray(columns) || columns.some((column) => typeof column !== "string")) {
    throw wrongType(name, "of type boolean or an array of strings", columns);
  }
  return columns;
}
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
// What text stands for, if anything; digits that a number can't hold, and a leading zero, stay text.
function cast(text) {
  if (text === "true") return true;
  if (text === "false") return false;
  if (!NUMBER.test(text) || /^[+-]?0\d/.test(text)) return text;
  const number = Number(text);
  return Number.isSafeInteger(number) || (!Number.isInteger(number) && Number.isFinite(number)) ? number : text;
}
export function parse(text, given) {
  const wanted = options(given), { columns = wanted.header } = wanted;
  const caster = wanted.cast === true ? cast : wanted.cast === undefined || wanted.cast === false ? undefined : wanted.cast;
  if (caster !== undefined && typeof caster !== "function") throw wrongType("options.cast", "of type boolean or function", caster);
  const flexible = flag(wanted.relaxColumnCount ?? wanted.relax_column_count, "options.relaxColumnCount");
  if (columns !== undefined && typeof columns !== "boolean") names(columns, "options.columns");
  const rows = JSON.parse(host.parse(string(text, "text"), dialect(wanted), flexible, flag(wanted.trim, "options.trim")));
  const heads = columns === true ? (rows.shift() ?? []) : columns || undefined;
  if (caster !== undefined) {
    rows.forEach((row, line) => row.forEach((field, at) => { row[at] = caster(field, { column: heads?.[at] ?? at, row: line }); }));
  }
  if (heads === undefined) return rows;
  return rows.map((row, line) => {
    if (row.length !== heads.length && !flexible) {
      const message = `Invalid Record Length: columns length is ${heads.length}, got ${row.length} in record ${line + 1}`;
      throw coded(new Error(message), "CSV_RECORD_INCONSISTENT_COLUMNS");
    }
    const object = {};
    for (let at = 0; at < heads.length && at < row.length; at++) {
      const head = heads[at];
      // Assigned, this one name would be another object's prototype.
      if (head === "__proto__") Object.defineProperty(object, head, { value: row[at], writable: true, enumerable: true, configurable: true });
      else object[head] = row[at];
    }
    return object;
  });
}
function field(value) {
  if (value === undefined || typeof value === "function" || typeof value === "symbol") return null;
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return String(value);
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}
export function stringify(rows, given) {
  if (!Array.isArray(rows)) throw wrongType("rows", "an instance of Array", rows);
  const wanted = options(given), lineEnd = wanted.lineEnd ?? wanted.record_delimiter ?? "\n";
  if (lineEnd !== "\n" && lineEnd !== "\r\n") throw wrongValue("options.lineEnd", lineEnd, "must be \\n or \\r\\n");
  const first = rows.find((row) => !Array.isArray(row)), objects = first !== undefined;
  const heads = wanted.columns === undefined ? (objects ? Object.keys(Object(first)) : undefined) : names(wanted.columns, "options.columns");
  const header = wanted.header === undefined ? objects : boolean(wanted.header, "options.header");
  const table = rows.map((row, at) => {
    if (Array.isArray(row)) return row.map(field);
    if (typeof row !== "object" || row === null) throw wrongType(`rows.${at}`, "an instance of Array or Object", row);
    return heads.map((head) => field(row[head]));
  });
  if (header && heads !== undefined) table.unshift(heads);
  return host.stringify(wellFormed(table), dialect(wanted), flag(wanted.quoted, "options.quoted"), lineEnd);
}
