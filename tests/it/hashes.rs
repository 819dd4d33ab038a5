//! Hash tables: what an attacker chooses as keys costs what any keys cost, and nothing but time could tell a session's key.
use crate::harness::{Server, shared_images, vm_in};

/// Evaluated into the image: tables that sessions inherit.
const LIBRARY: &str = "
var table = new Map(), record = {};
for (let i = 0; i < 100; i++) { table.set('library' + i, i); record['library' + i] = i; }
";

/// Keys that collide in QuickJS as it comes, with the same number of random ones, into every table that takes such keys.
/// Prints a line per table: name, milliseconds for the chosen ones, for the random ones.
const FLOOD: &str = r#"
const COUNT = 16384;
const check = (same, what) => { if (!same) throw new Error('these do not collide: ' + what); };
const alike = (values) => new Set(values).size === 1;

// Strings: h * 263 + c modulo 2^32. Pairs of blocks with one hash, combined in all ways.
const polynomial = (s) => { let h = 1; for (let i = 0; i < s.length; i++) h = Math.imul(h, 263) + s.charCodeAt(i) | 0; return h; };
const word = () => { let s = ''; for (let i = 0; i < 8; i++) s += String.fromCharCode(97 + Math.random() * 26); return s; };
const seen = new Map(), pairs = [];
while (pairs.length < Math.log2(COUNT)) {
  const s = word(), h = polynomial(s), other = seen.get(h);
  if (other !== undefined && other !== s) pairs.push([other, s]); else seen.set(h, s);
}
const strings = Array.from({ length: COUNT }, (_, i) => pairs.map((pair, bit) => pair[i >> bit & 1]).join(''));
check(alike(strings.map(polynomial)) && new Set(strings).size === COUNT, 'strings');
const anyStrings = strings.map(() => pairs.map(word).join(''));

// Integers as property names: the upper bits of i * C, or of i * C * C for a shape; the lower ones for JSON.
const C = 0x61c88647;
const inverse = (a) => { let x = 1; for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(a, x)); return x; };
const upper = (factor) => {
  const back = inverse(factor), found = [];
  for (let i = 0; found.length < COUNT; i++) { const v = Math.imul(i, back) >>> 0; if (v >= 2 ** 31) found.push(v - 2 ** 31); }
  check(alike(found.map((v) => Math.imul(v + 2 ** 31, factor) >>> 17)), 'integers');
  return found;
};
const integers = upper(C), shapes = upper(Math.imul(C, C)), lower = integers.map((_, i) => i * 65536);
const anyIntegers = integers.map(() => Math.floor(Math.random() * 2 ** 31));

// Numbers in a Map: both halves of a double, exclusively ored after a mixer that can be run by anybody.
const mix = (h) => { h ^= h >>> 16; h = Math.imul(h, 0x85ebca6b); h ^= h >>> 13; h = Math.imul(h, 0xc2b2ae35); return (h ^ h >>> 16) >>> 0; };
const halves = new Uint32Array(2), double = new Float64Array(halves.buffer);
const numbers = integers.map((_, i) => { halves[1] = 0x40000000 + i; halves[0] = mix(halves[1]); return double[0]; });
const anyNumbers = numbers.map(Math.random);
const bigs = (values) => values.map((s) => [...s].reverse().reduce((n, c) => n << 8n | BigInt(c.charCodeAt(0)), 1n));

const objects = (keys) => keys.map((key) => ({ [key]: 1 }));
const json = (keys) => JSON.parse('{' + keys.map((key) => `"${key}":1`).join() + '}', (_, value) => value);
const fill = (map, keys) => { for (const key of keys) map.set(key, 1); for (const key of keys) map.delete(key); };
const own = (object, keys) => { for (const key of keys) object[key] = 1; };
const time = (use, keys) => {
  let best = Infinity;
  for (let round = 0; round < 3; round++) { const began = performance.now(); use(keys); best = Math.min(best, performance.now() - began); }
  return best;
};
for (const [name, use, chosen, any] of [
  ['strings-in-a-map', (keys) => fill(new Map(), keys), strings, anyStrings],
  ['strings-in-a-set', (keys) => new Set(keys), strings, anyStrings],
  ['strings-in-a-map-of-the-image', (keys) => fill(table, keys), strings, anyStrings],
  ['big-integers-in-a-map', (keys) => fill(new Map(), keys), bigs(strings.slice(0, 4096)), bigs(anyStrings.slice(0, 4096))],
  ['numbers-in-a-map', (keys) => fill(new Map(), keys), numbers, anyNumbers],
  ['strings-as-names', (keys) => own({}, keys), strings, anyStrings],
  ['strings-as-symbols', (keys) => keys.map((key) => Symbol.for(key)), strings, anyStrings],
  ['integers-as-names', (keys) => own({}, keys), integers, anyIntegers],
  ['integers-in-an-object-of-the-image', (keys) => own(record, keys), integers, anyIntegers],
  ['integers-as-first-names', (keys) => { globalThis.kept = objects(keys); }, shapes, anyIntegers],
  ['integers-in-json', json, lower, anyIntegers],
]) console.log(name, time(use, chosen), time(use, any));
"#;

#[test]
fn chosen_keys_cost_what_any_keys_cost() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("library.js"), LIBRARY).unwrap();
    std::fs::write(place.path().join("flood.js"), FLOOD).unwrap();
    let flags = ["run", "--library", "library.js", "--cpu-ms", "60000", "--wall-ms", "120000", "flood.js"];
    let ran = vm_in(place.path(), &shared_images(), &flags);
    let mut tables = 0;
    for line in ran.stdout.lines().filter(|line| *line != "undefined") {
        let parts: Vec<&str> = line.split(' ').collect();
        let (chosen, any): (f64, f64) = (parts[1].parse().unwrap(), parts[2].parse().unwrap());
        // Collisions made it 20 to 600 times as much.
        assert!(chosen <= 4.0 * any + 40.0, "{}: {chosen} ms against {any} ms\n{}", parts[0], ran.stdout);
        tables += 1;
    }
    assert_eq!((ran.status, tables), (Some(0), 11), "{ran:?}");
}

/// Objects of the image with a shape of their own each, to which sessions add a property.
const LONERS: &str = "
var make = (prefix) => Array.from({ length: 20000 }, (_, i) => ({ [prefix + i]: i }));
var loners = make('image');
";

/// Prints the milliseconds for the image's objects, for the session's. In this order: new shapes let the table grow.
const EXTEND: &str = "
const time = (objects) => { const began = performance.now(); for (const o of objects) o.more = 1; return performance.now() - began; };
const image = time(loners);
console.log(image, time(make('session')));
";

/// A shape that only one object has is not cloned but moves to the session's table, which grows for it too.
#[test]
fn objects_of_the_image_are_extended_as_fast_as_others() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("library.js"), LONERS).unwrap();
    std::fs::write(place.path().join("extend.js"), EXTEND).unwrap();
    let ran = vm_in(place.path(), &shared_images(), &["run", "--library", "library.js", "extend.js"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let times: Vec<f64> = ran.stdout.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [image, own] = times[..] else { panic!("{ran:?}") };
    // Without growth it was 83 to 207 ms against 2 to 7.
    assert!(image <= 4.0 * own + 40.0, "{image} ms against {own} ms");
}

/// Sessions hash differently and order everything alike: as it was put in, integers first in objects.
#[test]
fn order_does_not_depend_on_hashes() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let source = "
        const keys = []; for (let i = 0; i < 2000; i++) keys.push(i % 3 ? 'k' + (i * 7919 % 2003) : i * 31 % 2003);
        const map = new Map(keys.map((key, at) => [key, at])), object = Object.fromEntries(map);
        for (const key of keys.slice(500, 900)) { map.delete(key); delete object[key]; }
        for (const key of keys.slice(500, 900).reverse()) { map.set(key, 0); object[key] = 0; }
        JSON.stringify([[...map.keys()], [...new Set(keys).union(new Set(['z', 1e9]))], Object.keys(object),
            Object.keys(Object.groupBy(keys, (key) => String(key).length)), JSON.parse(JSON.stringify(object))])";
    let answers: Vec<String> = (0..3).map(|_| server.value(&server.session(&template), source)).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.len() > 10_000), "{answers:?}");
    assert!(answers[0].starts_with(r#"[[0,"k1910","k1817",93,"#), "{}", &answers[0][..100]);
}
