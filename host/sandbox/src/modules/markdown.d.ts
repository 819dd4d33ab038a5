export interface Options {
  /** Tables, strikethrough and task lists as on GitHub: true unless said otherwise, each by itself too. */
  gfm?: boolean;
  tables?: boolean;
  strikethrough?: boolean;
  tasklists?: boolean;
  footnotes?: boolean;
  /** Typographic quotes, dashes and ellipses. */
  smart?: boolean;
  /** `# Heading {#id .class}`. */
  headingIds?: boolean;
  /** The text is trusted: HTML in it stays HTML, and links go wherever they say. */
  rawHtml?: boolean;
  /** Every end of a line is a line break. */
  breaks?: boolean;
}
/** HTML of Markdown. Without `rawHtml` it is safe to show, whoever wrote the text. */
export function toHtml(text: string, options?: Options): string;
