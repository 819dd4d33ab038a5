/** What `render` is told beside its data. */
export interface Options {
  /** What `{{name}}` does to text; HTML's special characters become entities unless said otherwise. */
  escape?: (text: string) => string;
  /** Longest result, in characters: 16 Mi unless less is said. */
  maxLength?: number;
}
/** Text of a Mustache template: `{{name}}`, `{{{raw}}}`, `{{#section}}`, `{{^inverted}}`, `{{>partial}}`, `{{!comment}}`. */
export function render(template: string, data?: unknown, partials?: Record<string, string>, options?: Options): string;
/** The text with `& < > " '` as entities. */
export function escape(text: string): string;
