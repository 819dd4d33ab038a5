// CSV into SQLite, and a report from it.
import csv from 'csv';
import database from 'database';

type Sale = { item: string; price: number };

const text = 'item,price\ntea,3.5\ncake,4\ntea,3.5\n';
const sales: Sale[] = csv.parse(text, { columns: true, cast: true });

const db = database.open(':memory:');
db.exec('CREATE TABLE sale (item TEXT, price REAL)');
const add = db.prepare('INSERT INTO sale VALUES (?, ?)');
db.transaction(() => sales.forEach((sale) => add.run(sale.item, sale.price)));

for (const row of db.query('SELECT item, count(*) AS n, sum(price) AS total FROM sale GROUP BY item ORDER BY total DESC')) {
  console.log(`${row.n} x ${row.item}: ${row.total.toFixed(2)}`);
}
await new Promise((resolve) => setTimeout(resolve, 100));
console.log('nothing else was reached, and waiting took no thread');
