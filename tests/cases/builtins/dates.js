// Dates are UTC: a sandbox has no time zone of its own.
const d = new Date('2024-02-29T12:34:56.789Z');
console.log(d.toISOString(), d.getTime(), d.getTimezoneOffset()); // expect: 2024-02-29T12:34:56.789Z 1709210096789 0
console.log(d.getFullYear(), d.getMonth(), d.getDate(), d.getDay(), d.getHours()); // expect: 2024 1 29 4 12
console.log(new Date(2024, 0, 31, 25).toISOString(), Date.UTC(1970, 0, 1, 0, 0, 1)); // expect: 2024-02-01T01:00:00.000Z 1000
console.log(isNaN(new Date('nope')), new Date(8.64e15 + 1).getTime(), Date.parse('Thu, 01 Jan 1970 00:00:01 GMT')); // expect: true NaN 1000
try { new Date(NaN).toISOString(); } catch (e) { console.log(e.name); } // expect: RangeError
const now = Date.now();
console.log(Number.isInteger(now), now > Date.UTC(2024, 0), Math.abs(new Date() - now) < 60_000); // expect: true true true
