import host from "host:markdown";

export function toHtml(text, given) {
  const wanted = options(given);
  const flag = (name, otherwise) => (wanted[name] === undefined ? otherwise : boolean(wanted[name], `options.${name}`));
  const gfm = flag("gfm", true);
  return host.toHtml(string(text, "text"), {
    tables: flag("tables", gfm), strikethrough: flag("strikethrough", gfm), tasklists: flag("tasklists", gfm),
    footnotes: flag("footnotes", false), smart: flag("smart", false), headingIds: flag("headingIds", false),
    rawHtml: flag("rawHtml", false), breaks: flag("breaks", false),
  });
}
