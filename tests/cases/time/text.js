// flags: --module time
const time = require('time');
const t = Date.UTC(2024, 1, 29, 13, 5, 9, 7);
console.log(Math.abs(time.now() - Date.now()) < 1000, time.monotonic() <= time.monotonic()); // expect: true true
console.log(time.iso(t), time.iso('2024-02-29'), time.iso(new Date(0))); // expect: 2024-02-29T13:05:09.007Z 2024-02-29T00:00:00.000Z 1970-01-01T00:00:00.000Z
console.log(time.format(t)); // expect: 2024-02-29T13:05:09Z
console.log(time.format(t, '%A %a %B %b %d %e %H %I %M %S %L %f %p %j %u %w %y')); // expect: Thursday Thu February Feb 29 29 13 01 05 09 007 007000 PM 060 4 4 24
console.log(time.format(t, '%F %T %R %D %s %z %Z %% %G-W%V')); // expect: 2024-02-29 13:05:09 13:05 02/29/24 1709211909 +0000 UTC % 2024-W09
console.log(['2021-01-03', '2021-01-04', '2020-12-31', '2018-12-31', '2023-01-01'].map((d) => time.format(d, '%G-W%V')).join()); // expect: 2020-W53,2021-W01,2020-W53,2019-W01,2022-W52
const parsed = ['2024-02-29T13:05:09.007Z', '2024-02-29t14:05:09.0079+01:00', '2024-02-29T07:35:09-05:30', '2024-02-29', '0001-01-01', '2016-12-31T23:59:60Z'];
console.log(parsed.map((text) => time.parse(text) === Date.parse(text.replace('t', 'T').replace(':60', ':59'))).join()); // expect: true,true,true,true,true,true
console.log(['1h30m', '90s', '1.5h', '-2d', ' 1w 2d ', '10ms', 'PT1H30M', 'P1DT0.5S', '-PT1M', 5].map((d) => time.duration(d)).join()); // expect: 5400000,90000,5400000,-172800000,777600000,10,5400000,86400500,-60000,5
console.log([0, 1, 61000, 90061001, -5400000, 'P1W'].map((d) => time.formatDuration(d)).join()); // expect: 0ms,1ms,1m1s,1d1h1m1s1ms,-1h30m,7d
console.log(time.iso(time.add('2024-02-29T23:00:00Z', '1h')), time.add(0, -5)); // expect: 2024-03-01T00:00:00.000Z -5

const bad = ['', 'now', '2023-02-29', '2024-13-01', '2024-01-32', '2024-01-01T24:00:00Z', '2024-01-01T00:60:00Z', '2024-01-01T00:00:00', '2024-01-01 00:00', '2024-01-01T00:00:00+24:00', '24-01-01', '2024-01-01'.padEnd(101)];
console.log(bad.filter((text) => { try { time.parse(text); return true; } catch (e) { return e.code !== 'ERR_INVALID_ARG_VALUE'; } }).length); // expect: 0
const durations = ['', 'P', 'PT', '1', '1y', 'h', '--1s', '1s1', 'PT1', 'P1H', 's'.repeat(1e6), '1s'.repeat(51)];
console.log(durations.filter((text) => { try { time.duration(text); return true; } catch (e) { return e.code !== 'ERR_INVALID_ARG_VALUE'; } }).length); // expect: 0
for (const f of [() => time.parse(1), () => time.iso({}), () => time.iso(NaN), () => time.iso(8640000000000001), () => time.iso(new Date('x')), () => time.format(0, '%Q'), () => time.format(0, '%'), () => time.format(0, 1), () => time.duration(Infinity), () => time.duration(null), () => time.add(8640000000000000, 1)]) {
  try { console.log('no error', f()); } catch (e) { console.log(e.name, e.code, e.message); }
}
// expect: TypeError ERR_INVALID_ARG_TYPE The "text" argument must be of type string. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "when" argument must be of type number or string or an instance of Date. Received an instance of Object
// expect: RangeError ERR_OUT_OF_RANGE The value of "when" is out of range. It must be >= -8640000000000000 && <= 8640000000000000. Received NaN
// expect: RangeError ERR_OUT_OF_RANGE The value of "when" is out of range. It must be >= -8640000000000000 && <= 8640000000000000. Received 8_640_000_000_000_001
// expect: RangeError ERR_OUT_OF_RANGE The value of "when" is out of range. It must be >= -8640000000000000 && <= 8640000000000000. Received NaN
// expect: TypeError ERR_INVALID_ARG_VALUE The argument 'pattern' has a field that is not known. Received '%Q'
// expect: TypeError ERR_INVALID_ARG_VALUE The argument 'pattern' has a field that is not known. Received '%'
// expect: TypeError ERR_INVALID_ARG_TYPE The "pattern" argument must be of type string. Received type number (1)
// expect: RangeError ERR_OUT_OF_RANGE The value of "duration" is out of range. It must be finite. Received Infinity
// expect: TypeError ERR_INVALID_ARG_TYPE The "duration" argument must be of type string. Received null
// expect: RangeError ERR_OUT_OF_RANGE The value of "when" is out of range. It must be >= -8640000000000000 && <= 8640000000000000. Received 8_640_000_000_000_001
console.log(time.format(0, 'x'.repeat(10000)).length); // expect: 10000
try { time.format(0, 'x'.repeat(10001)); } catch (e) { console.log(e.code); } // expect: ERR_OUT_OF_RANGE
