// URL: parts, setters, relative references, statics.
const u = new URL('HTTPS://user:pa ss@Example.COM:443/a/./b/../c d?x=1 2&y=ü#frag ment');
console.log(u.href); // expect: https://user:pa%20ss@example.com/a/c%20d?x=1%202&y=%C3%BC#frag%20ment
console.log(u.origin, u.protocol, u.username, u.password, u.host, u.port === '', u.pathname, u.search, u.hash); // expect: https://example.com https: user pa%20ss example.com true /a/c%20d ?x=1%202&y=%C3%BC #frag%20ment
console.log(`${u}` === u.href, JSON.stringify({ u }).length, Object.prototype.toString.call(u)); // expect: true 77 [object URL]
const refs = [['../x', 'http://h/a/b/c'], ['//other/p', 'https://h/'], ['?q', 'http://h/p?old#f'], ['#f', 'http://h/p?q'], ['', 'http://h/p?q#f'], ['c:d', 'http://h/'], ['/a//b/', 'http://h/x']];
console.log(refs.map(([ref, base]) => new URL(ref, base).href).join(' ')); // expect: http://h/a/x https://other/p http://h/p?q http://h/p?q#f http://h/p?q c:d http://h/a//b/
const bad = ['', 'x', '//h', 'http://', 'http://a b/', 'http://h:99999', 'http://[::1', 'http://%00/', 'http://a%2fb', 'https://exa<mple'];
console.log(bad.map((x) => { try { return new URL(x).href; } catch (e) { return e.name; } }).join()); // expect: TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError
u.protocol = 'http'; u.port = '8080'; u.pathname = '/p q'; u.search = 'a=b'; u.hash = ''; u.username = ''; u.password = '';
console.log(u.href); // expect: http://example.com:8080/p%20q?a=b
u.host = 'other.org:81'; u.port = ''; u.protocol = 'ftp:'; u.protocol = 'mailto:'; u.hostname = '';
console.log(u.href); // expect: ftp://other.org/p%20q?a=b
u.href = 'data:text/plain,hi there'; u.pathname = 'ignored'; u.host = 'ignored';
console.log(u.href, u.origin, u.pathname); // expect: data:text/plain,hi there null text/plain,hi there
try { u.href = 'nope'; } catch (e) { console.log(e.name, u.href); } // expect: TypeError data:text/plain,hi there
console.log(URL.canParse('a', 'http://h'), URL.canParse('a'), new URL('file:///C|/x/../../y').href, new URL('file://localhost/z').href); // expect: true false file:///C:/y file:///z
console.log(new URL('javascript:alert(1)').pathname, new URL('blob:https://a.b/x').origin, new URL('web+x://h:80/').port); // expect: alert(1) https://a.b 80
console.log(new URL('http://h/%7Ea%2e%2E/b\\c').href, new URL('  http://h/\n\t ').href, new URL('http://h/🙂?🙂#🙂').href); // expect: http://h/%7Ea%2e%2E/b/c http://h/ http://h/%F0%9F%99%82?%F0%9F%99%82#%F0%9F%99%82
console.log(new URL("http://h/?'\"<> `{}|^#'\"<> `{}|^").href); // expect: http://h/?%27%22%3C%3E%20`{}|^#'%22%3C%3E%20%60{}|^
console.log(new URL('http://h/ \'"<>`{}|[]').pathname); // expect: /%20'%22%3C%3E%60%7B%7D|[]
const refused = (...args) => { try { return new URL(...args).href; } catch (e) { return `${e instanceof TypeError} ${e.code} ${e.input}`; } };
console.log(refused('bad'), refused('x', 'bad'), URL.parse?.('bad') ?? null); // expect: true ERR_INVALID_URL bad true ERR_INVALID_URL x null
