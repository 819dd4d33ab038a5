/** What ends a line: `"\n"`. */
export const EOL: string;
/** The path of the file that swallows everything. */
export const devNull: string;
/** `"wasm32"`. */
export function arch(): string;
/** `"wasm32"`. */
export function machine(): string;
/** `"linux"`: paths and line ends are those of it. */
export function platform(): string;
/** `"Linux"`. */
export function type(): string;
/** `"LE"`. */
export function endianness(): "LE";
/** How many things run at the same time: 1. */
export function availableParallelism(): number;
