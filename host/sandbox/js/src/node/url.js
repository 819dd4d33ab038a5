// node:url: WHATWG's classes are the globals, the rest is Node's own, as unenv keeps it.
import { Url, fileURLToPath, format, parse as parseUrl, pathToFileURL, resolve, resolveObject, urlToHttpOptions } from 'unenv/node/url';
import punycode from 'punycode/punycode.js';

const { URL, URLSearchParams } = globalThis;
const domainToASCII = (domain) => {
  try { return new URL(`ws://${domain}`).hostname; } catch { return ''; }
};
const domainToUnicode = (domain) => punycode.toUnicode(domainToASCII(domain));

// In the order in which Node shows them.
const parts = ['protocol', 'slashes', 'auth', 'host', 'port', 'hostname', 'hash', 'search', 'query', 'pathname', 'path', 'href'];
function parse(...args) {
  const parsed = parseUrl(...args), url = Object.create(Url.prototype);
  for (const name of parts) url[name] = parsed[name];
  return url;
}

/** Legacy objects have their own way; a URL has options. */
const formatUrl = (value, options = undefined) => {
  if (!(value instanceof URL)) return format(value);
  const { fragment = true, unicode = false, search = true, auth = true } = options ?? {};
  const url = new URL(value);
  if (!fragment) url.hash = '';
  if (!search) url.search = '';
  if (!auth) url.username = url.password = '';
  return unicode ? url.href.replace(url.host, () => punycode.toUnicode(url.hostname) + (url.port && `:${url.port}`)) : url.href;
};

export {
  URL, URLSearchParams, Url, domainToASCII, domainToUnicode, fileURLToPath, formatUrl as format, parse, pathToFileURL, resolve,
  resolveObject, urlToHttpOptions,
};
export default {
  URL, URLSearchParams, Url, domainToASCII, domainToUnicode, fileURLToPath, format: formatUrl, parse, pathToFileURL, resolve,
  resolveObject, urlToHttpOptions,
};
