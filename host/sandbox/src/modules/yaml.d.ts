/** The value of the one document of a text. */
export function parse(text: string): any;
/** The values of all documents of a text; those of nothing are left out. */
export function parseAll(text: string): any[];
export { parseAll as parseDocuments };
/** YAML of a value, as JSON.stringify sees it. */
export function stringify(value: unknown, options?: { indent?: number }): string;
