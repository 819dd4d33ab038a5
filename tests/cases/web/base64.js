// atob and btoa, DOMException.
console.log(btoa('\0ÿhi'), atob(' aG k= '), atob(''), btoa(''), atob('aGk').length, btoa(1), atob(null).length); // expect: AP9oaQ== hi   2 MQ== 3
console.log(['a', 'a===', 'é', '\u00e9=', 'aGk=a', 'a b!'].map((x) => { try { return atob(x); } catch (e) { return `${e.name}${e.code}`; } }).join()); // expect: InvalidCharacterError5,InvalidCharacterError5,InvalidCharacterError5,InvalidCharacterError5,InvalidCharacterError5,InvalidCharacterError5
try { btoa('€'); } catch (e) { console.log(e.name, e.code, e instanceof DOMException, e instanceof Error); } // expect: InvalidCharacterError 5 true true
const d = new DOMException('m', 'AbortError');
console.log(d.name, d.message, d.code, DOMException.ABORT_ERR, `${d}`, new DOMException().name, typeof d.stack, Object.prototype.toString.call(d)); // expect: AbortError m 20 20 AbortError: m Error string [object DOMException]
