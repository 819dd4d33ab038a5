import host from "host:database";

const { isSafeInteger } = Number;
const { defineProperty, entries, getPrototypeOf, prototype: plain, freeze } = Object;
const SAFE = 9007199254740991n;

function fail(code, message) {
  const error = new Error(message);
  error.code = code;
  throw error;
}

const typedArray = getPrototypeOf(Uint8Array.prototype);
const NULL = { tag: "null" };

function bound(value) {
  switch (typeof value) {
    case "undefined": return NULL;
    case "boolean": return { tag: "integer", val: value ? 1 : 0 };
    case "number": return isSafeInteger(value) ? { tag: "integer", val: value } : { tag: "real", val: value };
    case "bigint": return { tag: "integer", val: value };
    case "string": return { tag: "text", val: value };
    case "object":
      if (value === null) return NULL;
      if (value instanceof Uint8Array) return { tag: "blob", val: value };
      if (value instanceof ArrayBuffer) return { tag: "blob", val: new Uint8Array(value) };
      if (ArrayBuffer.isView(value)) {
        return { tag: "blob", val: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) };
      }
      if (value instanceof Date) {
        throw new TypeError("SQLite has no dates: bind date.toISOString() or date.getTime()");
      }
  }
  const kind = typeof value === "object" ? "an object" : "a " + typeof value;
  throw new TypeError("can't bind " + kind + ": expected null, boolean, number, bigint, string or Uint8Array");
}

/** `...values`, `[values]` or `{ name: value }`. */
function parameters(args) {
  if (args.length === 1) {
    const only = args[0];
    if (Array.isArray(only)) return { tag: "positional", val: only.map(bound) };
    if (typeof only === "object" && only !== null && !(only instanceof Date)) {
      const proto = getPrototypeOf(only);
      if (proto === plain || proto === null) {
        return { tag: "named", val: entries(only).map(([name, value]) => [name, bound(value)]) };
      }
    }
  }
  return { tag: "positional", val: args.map(bound) };
}

function rowsOf({ columns, cells }, bigint) {
  const rows = [], width = columns.length;
  for (let at = 0; at < cells.length; at += width) {
    const row = {};
    for (let column = 0; column < width; column++) {
      const cell = cells[at + column];
      let value = null;
      if (cell.tag !== "null") {
        value = cell.val;
        if (cell.tag === "integer" && !bigint && value <= SAFE && value >= -SAFE) value = Number(value);
      }
      const name = columns[column];
      if (name === "__proto__") defineProperty(row, name, { value, writable: true, enumerable: true, configurable: true });
      else row[name] = value;
    }
    rows.push(row);
  }
  return rows;
}

function changed({ rowsAffected, lastInsertId }) {
  const number = (value) => (value <= SAFE && value >= -SAFE ? Number(value) : value);
  return { success: true, rowsAffected: number(rowsAffected), lastInsertId: number(lastInsertId) };
}

const ALL = 4294967295;
const BEGIN = { __proto__: null, deferred: "BEGIN", immediate: "BEGIN IMMEDIATE", exclusive: "BEGIN EXCLUSIVE" };
const NONE = { tag: "positional", val: [] };

/** One open database; `promises` and the statements made from it share its state. */
class Connection {
  constructor(dsn, options) {
    this.bigint = options?.bigint === true;
    if (typeof dsn !== "string") throw new TypeError("expected the path of a database: ':memory:', or a file");
    this.handle = host.open(dsn);
    this.owner = null;
    this.savepoints = 0;
  }

  /** Who holds the asynchronous transaction, unless it is over: then a run was stopped in the middle of it. */
  holder() {
    if (this.owner !== null && host.stops() !== this.owner.stops) this.owner = null;
    return this.owner;
  }

  /** What is not part of an asynchronous transaction stays out of it. */
  check(as) {
    if (this.handle === 0) fail("SQLITE_MISUSE", "the database is not open");
    const owner = this.owner === null ? null : this.holder();
    if (owner !== null && owner !== as) {
      fail("SQLITE_BUSY", "an asynchronous transaction is under way: use what its function is given, or await it");
    }
    if (as !== null && as.over) fail("SQLITE_MISUSE", "the transaction is over");
  }

  /** Whether a call has to wait for `owner.ended` first. Who finds nobody goes on in the same turn: calls keep their order. */
  waits(as) {
    return as === null && this.owner !== null && this.holder() !== null;
  }

  close() {
    if (this.handle !== 0) host.close(this.handle, null);
    this.handle = 0;
    this.owner = null;
  }

  transaction(as, fn, mode) {
    if (typeof fn !== "function") throw new TypeError("transaction: expected a function");
    this.check(as);
    const { handle } = this;
    const nested = host.transaction(handle) !== 0;
    const name = "vm_" + ++this.savepoints;
    host.run(handle, nested ? "SAVEPOINT " + name : begin(mode), NONE);
    try {
      const value = fn();
      if (typeof value?.then === "function") {
        throw new TypeError("the function of a transaction is asynchronous: use promises.transaction");
      }
      host.run(handle, nested ? "RELEASE " + name : "COMMIT", NONE);
      return value;
    } catch (error) {
      undo(handle, nested, name);
      throw error;
    }
  }

  async transactionLater(as, fn, mode) {
    if (typeof fn !== "function") throw new TypeError("transaction: expected a function");
    if (as !== null) fail("SQLITE_MISUSE", "asynchronous transactions can't be nested");
    const sql = begin(mode);
    while (this.waits(null)) await this.owner.ended;
    this.check(null);
    let end;
    const owner = { stops: host.stops(), over: false, ended: new Promise((resolve) => { end = resolve; }) };
    this.owner = owner;
    try {
      await host.runLater(this.handle, sql, NONE);
      try {
        const value = await fn(new Database(this, owner));
        owner.over = true;
        await host.runLater(this.handle, "COMMIT", NONE);
        return value;
      } catch (error) {
        owner.over = true;
        undo(this.handle, false, "");
        throw error;
      }
    } finally {
      owner.over = true;
      if (this.owner === owner) this.owner = null;
      end();
    }
  }
}

function begin(mode = "immediate") {
  const sql = BEGIN[mode];
  if (sql === undefined) throw new TypeError("transaction: mode is deferred, immediate or exclusive");
  return sql;
}

/** SQLite may have rolled back by itself. */
function undo(handle, nested, name) {
  try {
    if (host.transaction(handle) === 0) return;
    host.run(handle, nested ? "ROLLBACK TO " + name + "; RELEASE " + name : "ROLLBACK", NONE);
  } catch {
    // What made it fail is what the script is told.
  }
}

function* rowByRow(connection, as, bigint, sql, given) {
  connection.check(as);
  const { handle } = connection;
  const cursor = host.cursor(handle, sql, given);
  let done = false;
  try {
    while (!done) {
      connection.check(as);
      const part = host.fetch(handle, cursor);
      done = part.done;
      yield* rowsOf(part, bigint);
    }
  } finally {
    if (!done) host.close(handle, cursor);
  }
}

async function* rowByRowLater(connection, as, bigint, sql, given) {
  while (connection.waits(as)) await connection.owner.ended;
  connection.check(as);
  const { handle } = connection;
  const cursor = host.cursor(handle, sql, given);
  let done = false;
  try {
    while (!done) {
      const part = await host.fetchLater(handle, cursor);
      done = part.done;
      yield* rowsOf(part, bigint);
    }
  } finally {
    if (!done) host.close(handle, cursor);
  }
}

class Statement {
  #connection;
  #as;
  #sql;
  #bigint;
  constructor(connection, as, sql, options) {
    connection.check(as);
    const found = host.describe(connection.handle, sql);
    this.#connection = connection;
    this.#as = as;
    this.#sql = sql;
    this.#bigint = options?.bigint ?? connection.bigint;
    this.columns = freeze(found.columns);
    this.parameters = found.parameters;
    this.readonly = found.readonly;
    const later = async (args, work) => {
      const given = parameters(args);
      while (connection.waits(as)) await connection.owner.ended;
      connection.check(as);
      return work(connection.handle, given);
    };
    const bigint = this.#bigint;
    this.promises = freeze({
      all: (...args) => later(args, async (h, given) => rowsOf(await host.queryLater(h, sql, given, ALL), bigint)),
      get: (...args) => later(args, async (h, given) => rowsOf(await host.queryLater(h, sql, given, 1), bigint)[0]),
      run: (...args) => later(args, async (h, given) => changed(await host.runLater(h, sql, given))),
      iterate: (...args) => rowByRowLater(connection, as, bigint, sql, parameters(args)),
    });
    freeze(this);
  }

  get sql() {
    return this.#sql;
  }

  #query(args, max) {
    const given = parameters(args);
    this.#connection.check(this.#as);
    return rowsOf(host.query(this.#connection.handle, this.#sql, given, max), this.#bigint);
  }

  all(...args) {
    return this.#query(args, ALL);
  }

  get(...args) {
    return this.#query(args, 1)[0];
  }

  run(...args) {
    const given = parameters(args);
    this.#connection.check(this.#as);
    return changed(host.run(this.#connection.handle, this.#sql, given));
  }

  iterate(...args) {
    return rowByRow(this.#connection, this.#as, this.#bigint, this.#sql, parameters(args));
  }
}

class Database {
  #connection;
  #as;
  constructor(connection, as) {
    this.#connection = connection;
    this.#as = as;
    const later = async (args, work) => {
      const given = parameters(args);
      while (connection.waits(as)) await connection.owner.ended;
      connection.check(as);
      return work(connection.handle, given);
    };
    const { bigint } = connection;
    this.promises = freeze({
      query: (sql, ...args) =>
        later(args, async (h, given) => rowsOf(await host.queryLater(h, String(sql), given, ALL), bigint)),
      exec: (sql, ...args) => later(args, async (h, given) => changed(await host.runLater(h, String(sql), given))),
      iterate: (sql, ...args) => rowByRowLater(connection, as, bigint, String(sql), parameters(args)),
      transaction: (fn, options) => connection.transactionLater(as, fn, options?.mode),
    });
    freeze(this);
  }

  get open() {
    return this.#connection.handle !== 0;
  }

  get inTransaction() {
    return this.open && host.transaction(this.#connection.handle) !== 0;
  }

  query(sql, ...args) {
    const given = parameters(args);
    this.#connection.check(this.#as);
    return rowsOf(host.query(this.#connection.handle, String(sql), given, ALL), this.#connection.bigint);
  }

  exec(sql, ...args) {
    const given = parameters(args);
    this.#connection.check(this.#as);
    return changed(host.run(this.#connection.handle, String(sql), given));
  }

  prepare(sql, options) {
    return new Statement(this.#connection, this.#as, String(sql), options);
  }

  iterate(sql, ...args) {
    return rowByRow(this.#connection, this.#as, this.#connection.bigint, String(sql), parameters(args));
  }

  transaction(fn, options) {
    return this.#connection.transaction(this.#as, () => fn(this), options?.mode);
  }

  close() {
    if (this.#as !== null) fail("SQLITE_MISUSE", "a transaction can't close its database");
    this.#connection.close();
  }
}

/** Opens a database: `:memory:`, or a file beneath the granted directory. */
export function open(path, options) {
  return new Database(new Connection(path, options), null);
}

// The one database that old scripts configure.
let configured = null;

function current() {
  if (configured === null) fail("SQLITE_MISUSE", 'no database is configured: call configure("sqlite3", dsn) first');
  return configured;
}

export function configure(driver, dsn, options) {
  if (driver !== "sqlite3" && driver !== "sqlite") {
    fail("SQLITE_ERROR", "unknown driver '" + String(driver).slice(0, 100) + "': there is sqlite3");
  }
  const fresh = open(dsn, options);
  close();
  configured = fresh;
}

export function query(sql, ...args) {
  return current().query(sql, ...args);
}

export function exec(sql, ...args) {
  return current().exec(sql, ...args);
}

export function prepare(sql, options) {
  return current().prepare(sql, options);
}

export function iterate(sql, ...args) {
  return current().iterate(sql, ...args);
}

export function transaction(fn, options) {
  return current().transaction(fn, options);
}

export function close() {
  if (configured !== null) configured.close();
  configured = null;
}

export const promises = freeze({
  query: async (sql, ...args) => current().promises.query(sql, ...args),
  exec: async (sql, ...args) => current().promises.exec(sql, ...args),
  iterate: (sql, ...args) => current().promises.iterate(sql, ...args),
  transaction: async (fn, options) => current().promises.transaction(fn, options),
});
