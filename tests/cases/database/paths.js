// No name of a database leads out of the root, or to what is no database.
// flags: --module database --module fs --root ROOT
// secret: the secret
// file: text.txt this is certainly no database but a text, and longer than any header would be, by far and then some more: it goes on and on and on
// file: sub/keep x
// link: out.db ../secret.txt
// link: new.db ../created.db
// link: up ..
// link: inner.db sub/inner.db
const database = require('database'), fs = require('fs');
for (const name of ['../x.db', '/etc/x.db', 'SECRET', 'out.db', 'new.db', 'up/x.db', 'sub/../../x.db', 'inner.db', 'file:x.db', 'FILE:x.db?mode=rwc', 'file::memory:', '', ':x:', '.', '..', '/', 'sub', 'sub/', 'x/', 'absent/x.db', 'nul\0.db', 'n'.repeat(300), 'n/'.repeat(5000)]) {
  try { database.open(name); console.log('opened', name.slice(0, 40)); } catch (e) { if (e.code !== 'SQLITE_CANTOPEN' || e.message.length > 400) console.log(name.slice(0, 40), e.code, e.message); }
}
try { database.open('text.txt'); } catch (e) { console.log(e.code, e.message); } // expect: SQLITE_NOTADB file is not a database
database.open('sub/../sub/./ok.db').exec('CREATE TABLE t (x)');
console.log(fs.existsSync('sub/ok.db'), fs.existsSync('sub/ok.db-journal'), fs.existsSync('x.db')); // expect: true false false
database.open('we?rd=1&x.db').exec('CREATE TABLE t (x)');
console.log(fs.existsSync('we?rd=1&x.db')); // expect: true
