// A month of orders from CSV into SQLite, and a report of it as Markdown and HTML.
// flags: --module csv --module database --module template --module markdown --module fs --module path --root ROOT
// file: in/customers.csv id,name,country
const fs = require('fs');
const path = require('path');
const csv = require('csv');
const database = require('database');
const { render } = require('template');
const markdown = require('markdown');

// What comes with the mail, quotes and all.
fs.appendFileSync('in/customers.csv', '\n1,"Müller, Söhne & Co",DE\n2,"The ""Best"" Shop",GB\n3,Ola <ola@example.com>,NO\n');
fs.writeFileSync('in/orders.csv', [
  'order;customer;day;amount',
  '1001;1;2024-03-01;120,50', '1002;2;2024-03-01;80,00', '1003;1;2024-03-04;19,99',
  '1004;9;2024-03-05;5,00', '1005;2;2024-03-05;n/a', '1006;3;2024-03-09;1000,00', '1001;1;2024-03-10;1,00', '',
].join('\r\n'));

const read = (name, options) => csv.parse(fs.readFileSync(path.join('in', `${name}.csv`), 'utf8'), { columns: true, ...options });
const db = database.open('orders.db');
db.exec(`
  PRAGMA foreign_keys = ON;
  CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL);
  CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers, day TEXT NOT NULL, cents INTEGER NOT NULL CHECK (cents > 0));
  CREATE INDEX by_customer ON orders (customer, day);
`);

const addCustomer = db.prepare('INSERT INTO customers VALUES (:id, :name, :country)');
db.transaction(() => { for (const { id, name, country } of read('customers')) addCustomer.run({ id: Number(id), name, country }); });

const rejected = [];
const addOrder = db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?)');
db.transaction(() => {
  for (const row of read('orders', { delimiter: ';' })) {
    const cents = Math.round(Number(row.amount.replace(',', '.')) * 100);
    try {
      addOrder.run(Number(row.order), Number(row.customer), row.day, cents);
    } catch (e) {
      rejected.push({ ...row, why: e.code });
    }
  }
});
console.log(rejected.map((row) => `${row.order} ${row.why}`).join(', ')); // expect: 1004 SQLITE_CONSTRAINT_FOREIGNKEY, 1005 SQLITE_CONSTRAINT_NOTNULL, 1001 SQLITE_CONSTRAINT_PRIMARYKEY

const euros = (cents) => (cents / 100).toFixed(2);
const totals = db.query(`
  SELECT c.name, c.country, count(*) AS orders, sum(o.cents) AS cents, max(o.day) AS latest,
         rank() OVER (ORDER BY sum(o.cents) DESC) AS place
  FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.id ORDER BY place`);
console.log(totals.length, totals[0].name); // expect: 3 Ola <ola@example.com>

const report = render(`# {{month}}

| # | Customer | Orders | Total | Latest |
|---|---|---:|---:|---|
{{#rows}}
| {{place}} | {{{name}}} ({{country}}) | {{orders}} | {{total}} | {{latest}} |
{{/rows}}

**{{count}} orders, {{sum}} EUR**{{#rejected.length}}

Not taken:

{{#rejected}}
- \`{{order}}\`: {{why}}
{{/rejected}}
{{/rejected.length}}
`, {
  month: 'March 2024', rows: totals.map((row) => ({ ...row, total: euros(row.cents) })), rejected,
  count: totals.reduce((n, row) => n + row.orders, 0), sum: euros(totals.reduce((n, row) => n + row.cents, 0)),
});
fs.mkdirSync('out/2024', { recursive: true });
fs.writeFileSync('out/2024/03.md', report);
fs.writeFileSync('out/2024/03.html', markdown.toHtml(report));
fs.writeFileSync('out/2024/03.csv', csv.stringify(totals, { header: true, columns: ['place', 'name', 'cents'] }));
db.close();

console.log(fs.readFileSync('out/2024/03.md', 'utf8').trimEnd());
// expect: # March 2024
// expect: 
// expect: | # | Customer | Orders | Total | Latest |
// expect: |---|---|---:|---:|---|
// expect: | 1 | Ola <ola@example.com> (NO) | 1 | 1000.00 | 2024-03-09 |
// expect: | 2 | Müller, Söhne & Co (DE) | 2 | 140.49 | 2024-03-04 |
// expect: | 3 | The "Best" Shop (GB) | 1 | 80.00 | 2024-03-01 |
// expect: 
// expect: **4 orders, 1220.49 EUR**
// expect: 
// expect: Not taken:
// expect: 
// expect: - `1004`: SQLITE_CONSTRAINT_FOREIGNKEY
// expect: - `1005`: SQLITE_CONSTRAINT_NOTNULL
// expect: - `1001`: SQLITE_CONSTRAINT_PRIMARYKEY
const html = fs.readFileSync('out/2024/03.html', 'utf8');
console.log(html.includes('<h1>March 2024</h1>'), html.includes('Müller, Söhne &amp; Co (DE)'), (html.match(/<tr>/g) ?? []).length); // expect: true true 4
console.log(fs.readFileSync('out/2024/03.csv', 'utf8').trimEnd());
// expect: place,name,cents
// expect: 1,Ola <ola@example.com>,100000
// expect: 2,"Müller, Söhne & Co",14049
// expect: 3,"The ""Best"" Shop",8000
// What is there tomorrow.
const again = database.open('orders.db');
console.log(again.query('SELECT count(*) AS n FROM orders')[0].n, fs.readdirSync('.', { recursive: true }).join()); // expect: 4 in,in/customers.csv,in/orders.csv,orders.db,out,out/2024,out/2024/03.csv,out/2024/03.html,out/2024/03.md
