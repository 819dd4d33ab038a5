// Mustache, as its specification has it, without lambdas: data is looked up and shown, and nothing of it is called.
const DEPTH_MAX = 100, OUTPUT_MAX = 16 << 20;
const ESCAPES = { __proto__: null, "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const failed = (code, message) => coded(new Error(message), code);
const BLANK = /^[ \t]*$/, REST_OF_LINE = /[ \t]*(?:\r?\n|$)/y;

export function escape(text) {
  return String(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

// Nodes: text, or [kind, name, ...]. "v": escaped, "&": as it is, "#" and "^": with what is within, ">": with its indentation.
function parse(template) {
  const root = [], open_ = [];
  let nodes = root, open = "{{", close = "}}", at = 0;
  const line = (where) => template.slice(0, where).split("\n").length;
  const wrong = (what, where = at) => failed("ERR_TEMPLATE_SYNTAX", `${what} in line ${line(where)}`);
  const text = (piece) => { if (piece !== "") nodes.push(piece); };
  for (;;) {
    const start = template.indexOf(open, at);
    if (start < 0) break;
    const before = template.slice(at, start), breaks = before.lastIndexOf("\n");
    const begins = breaks >= 0 || at === 0 || template[at - 1] === "\n";
    at = start;
    let inner = start + open.length, kind = template[inner], ends = close;
    if (kind === "{") ends = "}" + close;
    else if (kind === "=") ends = "=" + close;
    if (kind !== undefined && "#^/>!=&{".includes(kind)) inner++;
    else kind = "v";
    const stop = template.indexOf(ends, inner);
    if (stop < 0) throw wrong(`"${open}" without "${ends}"`);
    const name = template.slice(inner, stop).trim();
    if (name === "" && kind !== "!") throw wrong("a tag without a name");
    let after = stop + ends.length, indent = "";
    if (begins && "#^/>!=".includes(kind) && BLANK.test(before.slice(breaks + 1))) {
      REST_OF_LINE.lastIndex = after;
      if (REST_OF_LINE.test(template)) {
        after = REST_OF_LINE.lastIndex;
        indent = before.slice(breaks + 1);
      }
    }
    text(indent === "" ? before : before.slice(0, -indent.length));
    if (kind === "{") nodes.push(["&", name]);
    else if (kind === "v" || kind === "&") nodes.push([kind, name]);
    else if (kind === ">") nodes.push([kind, name, indent]);
    else if (kind === "#" || kind === "^") {
      if (open_.length >= DEPTH_MAX) throw wrong(`more than ${DEPTH_MAX} sections within each other`);
      const within = [];
      nodes.push([kind, name, within]);
      open_.push([name, nodes, at]);
      nodes = within;
    } else if (kind === "/") {
      const section = open_.pop();
      if (section?.[0] !== name) throw wrong(`{{/${name}}} ends ${section ? `{{#${section[0]}}}` : "nothing"}`);
      nodes = section[1];
    } else if (kind === "=") {
      const marks = name.split(/\s+/);
      if (marks.length !== 2 || marks.some((mark) => mark.includes("="))) throw wrong("delimiters are two, and have no =");
      [open, close] = marks;
    }
    at = after;
  }
  if (open_.length > 0) {
    const [name, , where] = open_.pop();
    throw wrong(`{{#${name}}} is not ended: it begins`, where);
  }
  text(template.slice(at));
  return root;
}

// What has this key; never what every object has.
const has = (value, key) => value !== null && value !== undefined &&
  (Object.hasOwn(Object(value), key) || (typeof value === "object" && key in value && !(key in Object.prototype)));
function look(stack, name) {
  if (name === ".") return stack[stack.length - 1];
  const [first, ...rest] = name.split(".");
  for (let at = stack.length - 1; at >= 0; at--) {
    if (!has(stack[at], first)) continue;
    let value = stack[at][first];
    for (const key of rest) value = has(value, key) ? value[key] : undefined;
    return value;
  }
  return undefined;
}
const shown = (value) => (value === null || value === undefined || typeof value === "function" ? "" : String(value));

export function render(template, data, partials, options_) {
  const { escape: escapes = escape, maxLength = OUTPUT_MAX } = options(options_);
  if (typeof escapes !== "function") throw wrongType("options.escape", "of type function", escapes);
  integer(maxLength, "options.maxLength", 0, OUTPUT_MAX);
  const texts = options(partials, "partials"), parsed = new Map();
  const out = [];
  let length = 0;
  const put = (piece) => {
    length += piece.length;
    if (length > maxLength) throw failed("ERR_TEMPLATE_TOO_LARGE", `the result is longer than ${maxLength} characters`);
    if (piece !== "") out.push(piece);
  };
  const partial = (name, indent) => {
    const key = indent + name;
    if (!parsed.has(key)) {
      const text = texts[name] === undefined ? "" : string(texts[name], `partials.${name}`);
      parsed.set(key, parse(indent === "" ? text : text.replace(/^(?=[^])/gm, indent)));
    }
    return parsed.get(key);
  };
  const all = (nodes, stack, depth) => {
    if (depth > DEPTH_MAX) throw failed("ERR_TEMPLATE_DEPTH", `more than ${DEPTH_MAX} sections and partials within each other`);
    for (const node of nodes) {
      if (typeof node === "string") {
        put(node);
        continue;
      }
      const [kind, name, within] = node;
      if (kind === ">") {
        all(partial(name, within), stack, depth + 1);
        continue;
      }
      const value = look(stack, name);
      if (kind === "&") put(shown(value));
      else if (kind === "v") put(String(escapes(shown(value))));
      else {
        const there = Array.isArray(value) ? value.length > 0 : Boolean(value);
        if (kind === "^") {
          if (!there) all(within, stack, depth + 1);
        } else if (there) {
          for (const item of Array.isArray(value) ? value : [value]) {
            stack.push(item);
            all(within, stack, depth + 1);
            stack.pop();
          }
        }
      }
    }
  };
  all(parse(string(template, "template")), [data], 0);
  return out.join("");
}
