// Checks signed webhooks and makes signed links and tokens, with node's names for all of it.
// flags: --module crypto --module buffer --module url --module querystring
import { createHmac, timingSafeEqual, scryptSync, createHash, webcrypto } from 'node:crypto';
import { Buffer } from 'node:buffer';

const KEY = 'whsec_2b7e151628aed2a6';
const sign = (time, body) => createHmac('sha256', KEY).update(`${time}.${body}`).digest('hex');
function check(header, body, now) {
  const parts = Object.fromEntries(header.split(',').map((part) => part.split('=')));
  if (Math.abs(now - Number(parts.t)) > 300) return 'too old';
  const [given, wanted] = [Buffer.from(parts.v1 ?? '', 'hex'), Buffer.from(sign(parts.t, body), 'hex')];
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? 'accepted' : 'forged';
}
const body = JSON.stringify({ event: 'paid', amount: 12.5, who: 'Zoë' });
const header = `t=1700000000,v1=${sign(1700000000, body)}`;
console.log(header); // expect: t=1700000000,v1=ce5ec5510f96ecd4477e447643c6321ae82b4604ca522b795d4ef5d383368f46
console.log(check(header, body, 1700000100), check(header, `${body} `, 1700000100), check(header, body, 1700001000), check('t=1700000000', body, 1700000000)); // expect: accepted forged too old forged

// A link that can be followed for an hour.
const link = new URL('https://files.example.com/reports/März 2024.pdf?page=2');
link.searchParams.set('expires', '1700003600');
link.searchParams.sort();
link.searchParams.append('signature', createHmac('sha1', KEY).update(link.pathname + link.search).digest('base64url'));
console.log(link.href); // expect: https://files.example.com/reports/M%C3%A4rz%202024.pdf?expires=1700003600&page=2&signature=ZzPwWZyD90DlUiSLHYU__6w1vwQ

// A token of three parts.
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'ä', iat: 1 })}`;
const token = `${unsigned}.${createHmac('sha256', KEY).update(unsigned).digest('base64url')}`;
console.log(token); // expect: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiLDpCIsImlhdCI6MX0._lAiqCooI9ULhq-RxymNnw1pbUlCcv78qqrioOXTaq0
const [head, claims, signature] = token.split('.');
const key = await webcrypto.subtle.importKey('raw', new TextEncoder().encode(KEY), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
const valid = (text) => webcrypto.subtle.verify('HMAC', key, Buffer.from(signature, 'base64url'), new TextEncoder().encode(text));
console.log(await valid(`${head}.${claims}`), await valid(`${head}.${claims}x`), JSON.parse(Buffer.from(claims, 'base64url').toString()).sub); // expect: true false ä

// A password's record, and basic authorization.
const salt = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
console.log(Buffer.from(scryptSync('correct horse', salt, 32, { N: 1024 })).toString('hex')); // expect: 9df923deed5f4531c279af9f56bd37b1657bef4929e702ce2e811a93388a86a1
console.log(`Basic ${btoa('user:pass')}`, Buffer.from('user:pässword').toString('base64'), atob('dXNlcjpwYXNz')); // expect: Basic dXNlcjpwYXNz dXNlcjpww6Rzc3dvcmQ= user:pass
console.log(createHash('sha256').update(Buffer.from([0xff, 0x00])).update('é', 'latin1').digest('hex').slice(0, 20)); // expect: b386e29310d11af71e88
const packet = Buffer.alloc(12);
packet.writeUInt16BE(0xcafe, 0); packet.writeInt32LE(-5, 2); packet.write('ok', 6, 'ascii'); packet.writeFloatBE(1.5, 8);
console.log(packet.toString('hex'), packet.readInt32LE(2), packet.subarray(6, 8).toString(), Buffer.concat([packet, Buffer.from('!')]).length); // expect: cafefbffffff6f6b3fc00000 -5 ok 13
