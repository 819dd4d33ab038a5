// URL and URLSearchParams are whatwg-url's; build.mjs packs the table of Unicode that comes with it.
import wrapper from 'whatwg-url/webidl2js-wrapper.js';

const holder = { Array, Object, Promise, String, TypeError, eval: undefined };
wrapper.URL.install(holder, ['Window']);
wrapper.URLSearchParams.install(holder, ['Window']);
export const { URL, URLSearchParams } = holder;
export const isUrl = wrapper.URL.is, isParams = wrapper.URLSearchParams.is;
for (const name of ['URL', 'URLSearchParams']) Object.defineProperty(holder[name], 'name', { value: name, configurable: true });
