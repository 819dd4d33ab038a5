// Without a grant nothing is reachable, and nothing is looked up or connected to.
// flags: --module fetch
// within-ms: 20000
const say = (p) => p.then((r) => console.log('reached', r.url), (e) => console.log(e instanceof TypeError, e.code, e.message));
console.log(require('fetch') === fetch, fetch.fetch === fetch, require('node:fetch') === fetch); // expect: true true true
await say(fetch('https://example.com/a?token=x')); // expect: true NOT_GRANTED https://example.com: not granted; `origins` of module 'fetch' in the template would have to
await say(fetch('http://127.0.0.1:1/')); // expect: true NOT_GRANTED http://127.0.0.1:1: not granted; `origins` of module 'fetch' in the template would have to
await say(fetch('/relative')); // expect: true ERR_INVALID_URL /relative: relative URL without a base
await say(fetch()); // expect: true EINVAL fetch: expected a URL or a Request
