// What is refused before anything is sent. The port is one where nothing listens: it would be ECONNREFUSED.
// flags: --allow-private-networks=127.0.0.1 --module fetch={"origins":["http://127.0.0.1:1","http://127.0.0.2:1","http://localhost:1"],"private":true,"max_request_kb":1,"methods":["GET","POST"],"timeout_ms":2000}
const at = 'http://127.0.0.1:1/';
const code = async (url, init) => { try { await fetch(url, init); return 'reached'; } catch (e) { return e.code ?? e.name; } };
console.log(await code(at)); // expect: ECONNREFUSED
console.log(await code(at, { method: 'DELETE' })); // expect: NOT_GRANTED
console.log(await code('http://127.0.0.2:1/')); // expect: EPRIVATE
console.log(await code('http://127.0.0.1:2/'), await code('https://127.0.0.1:1/')); // expect: NOT_GRANTED NOT_GRANTED
for (const url of ['file:///etc/passwd', 'data:text/plain,x', 'ftp://127.0.0.1:1/', 'gopher://127.0.0.1:1/', 'blob:http://127.0.0.1:1/x', 'ws://127.0.0.1:1/'])
  console.log(await code(url)); // expect: ERR_INVALID_PROTOCOL
// expect: ERR_INVALID_PROTOCOL
// expect: ERR_INVALID_PROTOCOL
// expect: ERR_INVALID_PROTOCOL
// expect: ERR_INVALID_PROTOCOL
// expect: ERR_INVALID_PROTOCOL
for (const name of ['Host', 'connection', 'Content-Length', 'transfer-encoding', 'TE', 'Upgrade', 'proxy-authorization', 'expect', 'accept-encoding'])
  if (await code(at, { headers: { [name]: 'x' } }) !== 'EINVAL') console.log('not refused:', name);
console.log(await code(at, { headers: { 'x-a': 'a\r\nx-b: b' } }), await code(at, { headers: { 'x\r\n': 'a' } })); // expect: EINVAL EINVAL
console.log(await code(at, { method: 'GET\r\n' }), await code(at, { method: 'TRACE' })); // expect: EINVAL EINVAL
console.log(await code(at, { method: 'POST', body: 'x'.repeat(1024) })); // expect: ECONNREFUSED
console.log(await code(at, { method: 'POST', body: 'x'.repeat(1025) })); // expect: EMSGSIZE
const many = (n) => ({ headers: Array.from({ length: n }, (_, i) => [`x-${i}`, 'v']) });
console.log(await code(at, many(100)), await code(at, many(101))); // expect: ECONNREFUSED EMSGSIZE
console.log(await code(at, { headers: { 'x-a': 'v'.repeat((32 << 10) - 3) } }), await code(at, { headers: { 'x-a': 'v'.repeat((32 << 10) - 2) } })); // expect: ECONNREFUSED EMSGSIZE
console.log(await code(at + 'x'.repeat((16 << 10) - at.length)), await code(at + 'x'.repeat((16 << 10) - at.length + 1))); // expect: ECONNREFUSED ERR_INVALID_URL
console.log(await code(at, { headers: { authorization: 'Bearer {{secret:API}}' } })); // expect: NOT_GRANTED
console.log(await code(at, { timeout: 0 }), await code(at, { timeout: 'soon' })); // expect: EINVAL EINVAL
console.log(await code(at, { signal: AbortSignal.abort() })); // expect: 20
