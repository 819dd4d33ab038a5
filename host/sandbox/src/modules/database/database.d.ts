/** A value of SQLite's. An integer beyond 2^53 comes back as a bigint, and every integer does with the option `bigint`. */
export type Value = null | number | bigint | string | Uint8Array;
/** What can be bound: booleans become 0 and 1, `undefined` becomes NULL. A Date is refused: bind its ISO text or its number. */
export type Bindable = Value | undefined | boolean | ArrayBuffer | ArrayBufferView;
/** `...values`, `[values]`, or `{ name: value }`; one value for each parameter of the statement. */
export type Parameters = Bindable[] | [Bindable[]] | [Record<string, Bindable>];
/** A row: its columns by their names. Who knows better says so: `query<{ id: number }>(...)`. */
export type Row = Record<string, Value>;
/** What a statement changed. */
export interface Changes { success: true; rowsAffected: number | bigint; lastInsertId: number | bigint }
/** How values come back. */
export interface Options { bigint?: boolean }
/** How a transaction begins; `immediate` unless said. */
export interface TransactionOptions { mode?: "deferred" | "immediate" | "exclusive" }
/** A compiled statement. */
export interface Statement<T = Row> {
  readonly sql: string;
  /** Names of the columns that it answers with. */
  readonly columns: readonly string[];
  /** How many parameters it has. */
  readonly parameters: number;
  /** Whether it changes nothing. */
  readonly readonly: boolean;
  /** Every row. */
  all<R = T>(...parameters: Parameters): R[];
  /** The first row. */
  get<R = T>(...parameters: Parameters): R | undefined;
  /** Runs it; rows that it answers with are left out. */
  run(...parameters: Parameters): Changes;
  /** Row by row: for results of any size. */
  iterate<R = T>(...parameters: Parameters): IterableIterator<R>;
  /** The same without holding up the script. */
  readonly promises: {
    all<R = T>(...parameters: Parameters): Promise<R[]>;
    get<R = T>(...parameters: Parameters): Promise<R | undefined>;
    run(...parameters: Parameters): Promise<Changes>;
    iterate<R = T>(...parameters: Parameters): AsyncIterableIterator<R>;
  };
}
/** What runs on another thread. Calls take effect in the order in which they are made, whichever kind they are. */
export interface Promises {
  query<T = Row>(sql: string, ...parameters: Parameters): Promise<T[]>;
  exec(sql: string, ...parameters: Parameters): Promise<Changes>;
  iterate<T = Row>(sql: string, ...parameters: Parameters): AsyncIterableIterator<T>;
  /** Commits when `fn`'s promise is fulfilled, else rolls back. Only what goes through `tx` is part of it. */
  transaction<T>(fn: (tx: Database) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
}
/** An open database. */
export interface Database {
  readonly open: boolean;
  readonly inTransaction: boolean;
  readonly promises: Promises;
  /** The rows of one statement. */
  query<T = Row>(sql: string, ...parameters: Parameters): T[];
  /** Runs one statement, or several where there are no parameters. */
  exec(sql: string, ...parameters: Parameters): Changes;
  /** Compiles one statement. */
  prepare<T = Row>(sql: string, options?: Options): Statement<T>;
  /** The rows of one statement, row by row. */
  iterate<T = Row>(sql: string, ...parameters: Parameters): IterableIterator<T>;
  /** Commits when `fn` returns, rolls back when it throws; one within another is a savepoint. */
  transaction<T>(fn: (database: Database) => T, options?: TransactionOptions): T;
  /** Closes it; an open transaction is rolled back. */
  close(): void;
}
/** Opens a database: `:memory:`, or a file beneath the granted directory, created if it isn't there. */
export function open(path: string, options?: Options): Database;
/** Opens the one database that the functions below are about; one that was configured before is closed. */
export function configure(driver: "sqlite3" | "sqlite", dsn: string, options?: Options): void;
/** The rows of one statement. */
export function query<T = Row>(sql: string, ...parameters: Parameters): T[];
/** Runs one statement, or several where there are no parameters. */
export function exec(sql: string, ...parameters: Parameters): Changes;
/** Compiles one statement. */
export function prepare<T = Row>(sql: string, options?: Options): Statement<T>;
/** The rows of one statement, row by row. */
export function iterate<T = Row>(sql: string, ...parameters: Parameters): IterableIterator<T>;
/** Commits when `fn` returns, rolls back when it throws. */
export function transaction<T>(fn: (database: Database) => T, options?: TransactionOptions): T;
/** Closes the configured database. */
export function close(): void;
/** The same without holding up the script. */
export const promises: Promises;
