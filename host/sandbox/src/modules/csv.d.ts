/** What a field is to be. */
export type Cast = (text: string, context: { column: string | number; row: number }) => unknown;
/** How values are written: one character of ASCII each. */
export interface Dialect {
  delimiter?: string;
  quote?: string;
  escape?: string;
  comment?: string;
}
export interface ParseOptions extends Dialect {
  /** true: the first row has names; an array: these are the names. Rows are objects then. */
  columns?: boolean | string[];
  /** The same as `columns: true`. */
  header?: boolean;
  /** White space around fields does not belong to them. */
  trim?: boolean;
  /** Rows may differ in length. */
  relaxColumnCount?: boolean;
  /** Numbers and booleans as what they are; or a function of its own. */
  cast?: boolean | Cast;
}
export interface StringifyOptions extends Dialect {
  /** Which fields of objects, in which order: those of the first one unless it is said. */
  columns?: string[];
  /** Whether the names are the first row; for objects they are, unless said otherwise. */
  header?: boolean;
  /** Every field in quotes. */
  quoted?: boolean;
  lineEnd?: "\n" | "\r\n";
}
/** Rows of a text; empty lines are none. */
export function parse(text: string, options: ParseOptions & ({ columns: true | string[] } | { header: true })): Record<string, any>[];
export function parse(text: string, options: ParseOptions & { cast: true | Cast; columns?: false; header?: false }): any[][];
export function parse(text: string, options?: ParseOptions & { cast?: false; columns?: false; header?: false }): string[][];
export function parse(text: string, options?: ParseOptions): any[];
/** Text of rows: arrays, or objects. */
export function stringify(rows: readonly (readonly unknown[] | object)[], options?: StringifyOptions): string;
