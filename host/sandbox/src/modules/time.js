// Times are milliseconds since 1970, in UTC: JavaScript has no other time zone here.
const TIME_MAX = 8640000000000000, PATTERN_MAX = 10000, TEXT_MAX = 100;
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June",
  "July", "August", "September", "October", "November", "December"];
const UNITS = { __proto__: null, w: 604800000, d: 86400000, h: 3600000, m: 60000, s: 1000, ms: 1 };
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d))?$/;
const ISO_DURATION = /^([+-])?P(?=[\dT])(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?=\d)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const PART = /\s*(\d+(?:\.\d+)?)\s*(ms|[wdhms])/y;
const pad = (number, width = 2, fill = "0") => String(number).padStart(width, fill);
let last = 0;

export function now() { return Date.now(); }
export function monotonic() {
  last = Math.max(last, globalThis.performance?.now?.() ?? Date.now());
  return last;
}
export function parse(text) {
  const found = string(text, "text").length <= TEXT_MAX && RFC3339.exec(text);
  if (!found) throw wrongValue("text", text, "is no date or time of RFC 3339, as 2026-02-28T12:30:00Z");
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((digits) => Number(digits ?? 0));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // A leap second is the last one before it.
  date.setUTCHours(hour, minute, Math.min(second, 59), Number((found[7] ?? "").padEnd(3, "0").slice(0, 3)));
  const zone = found[8] ?? "Z";
  const [zoneHour, zoneMinute] = /^[zZ]/.test(zone) ? [0, 0] : [Number(zone.slice(1, 3)), Number(zone.slice(4))];
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 61;
  if (!exists || zoneHour > 23 || zoneMinute > 59) throw wrongValue("text", text, "is no time that exists");
  return date.getTime() - (zone[0] === "-" ? -1 : 1) * (zoneHour * UNITS.h + zoneMinute * UNITS.m);
}
function dateOf(when, name = "when") {
  if (when === undefined) return new Date();
  if (typeof when === "string") return new Date(parse(when));
  const date = new Date(when instanceof Date ? when.getTime() : when);
  if (typeof when !== "number" && !(when instanceof Date)) throw wrongType(name, "of type number or string or an instance of Date", when);
  if (Number.isNaN(date.getTime())) throw outOfRange(name, `>= ${-TIME_MAX} && <= ${TIME_MAX}`, when instanceof Date ? NaN : when);
  return date;
}
export function iso(when) { return dateOf(when).toISOString(); }
function dayOfYear(date) { return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / UNITS.d) + 1; }
function isoWeek(date) {
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * UNITS.d);
  return [thursday.getUTCFullYear(), Math.ceil(dayOfYear(thursday) / 7)];
}
const FIELDS = {
  __proto__: null,
  Y: (d) => pad(d.getUTCFullYear(), 4), y: (d) => pad(d.getUTCFullYear() % 100), m: (d) => pad(d.getUTCMonth() + 1),
  d: (d) => pad(d.getUTCDate()), e: (d) => pad(d.getUTCDate(), 2, " "), H: (d) => pad(d.getUTCHours()),
  I: (d) => pad(d.getUTCHours() % 12 || 12), M: (d) => pad(d.getUTCMinutes()), S: (d) => pad(d.getUTCSeconds()),
  L: (d) => pad(d.getUTCMilliseconds(), 3), f: (d) => pad(d.getUTCMilliseconds() * 1000, 6), p: (d) => (d.getUTCHours() < 12 ? "AM" : "PM"),
  j: (d) => pad(dayOfYear(d), 3), u: (d) => String(d.getUTCDay() || 7), w: (d) => String(d.getUTCDay()),
  A: (d) => DAYS[d.getUTCDay()], a: (d) => DAYS[d.getUTCDay()].slice(0, 3), B: (d) => MONTHS[d.getUTCMonth()],
  b: (d) => MONTHS[d.getUTCMonth()].slice(0, 3), G: (d) => pad(isoWeek(d)[0], 4), V: (d) => pad(isoWeek(d)[1]),
  s: (d) => String(Math.floor(d.getTime() / 1000)), F: (d) => format(d, "%Y-%m-%d"), T: (d) => format(d, "%H:%M:%S"),
  R: (d) => format(d, "%H:%M"), D: (d) => format(d, "%m/%d/%y"), z: () => "+0000", Z: () => "UTC", n: () => "\n", t: () => "\t", "%": () => "%",
};
export function format(when, pattern = "%Y-%m-%dT%H:%M:%SZ") {
  const date = dateOf(when);
  if (string(pattern, "pattern").length > PATTERN_MAX) throw outOfRange("pattern.length", `<= ${PATTERN_MAX}`, pattern.length);
  return pattern.replace(/%([^]?)/g, (whole, letter) => {
    const field = FIELDS[letter];
    if (!field) throw wrongValue("pattern", whole, "has a field that is not known");
    return field(date);
  });
}
export function duration(value) {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw outOfRange("duration", "finite", value);
    return value;
  }
  const text = string(value, "duration").trim(), wrong = () => wrongValue("duration", value, "is no duration, as 1h30m or PT1H30M");
  if (text.length > TEXT_MAX) throw wrong();
  const standard = ISO_DURATION.exec(text);
  if (standard) {
    const parts = standard.slice(2).map((part) => Number(part ?? 0));
    const sum = ["w", "d", "h", "m", "s"].reduce((ms, unit, at) => ms + parts[at] * UNITS[unit], 0);
    return standard[1] === "-" ? -sum : sum;
  }
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  let sum = 0, at = sign.length;
  do {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (!part) throw wrong();
    sum += Number(part[1]) * UNITS[part[2]];
    at = PART.lastIndex;
  } while (at < text.length);
  return sign === "-" ? -sum : sum;
}
export function formatDuration(value) {
  let rest = Math.round(Math.abs(duration(value)));
  const sign = duration(value) < 0 && rest > 0 ? "-" : "";
  let out = "";
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const count = Math.floor(rest / UNITS[unit]);
    rest -= count * UNITS[unit];
    if (count > 0) out += count + unit;
  }
  return out === "" ? "0ms" : sign + out;
}
export function add(when, value) {
  return dateOf(dateOf(when).getTime() + duration(value)).getTime();
}
