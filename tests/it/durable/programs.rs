//! Random programs, each in two sessions: one that is left alone, and one that is hibernated, forked, rewound or moved to another
//! process after every step. Both say the same.
use std::fmt::Write as _;
use std::thread;

use serde_json::{Value, json};

use super::{Dice, close, forks, hibernate, newest, restore, template};
use crate::harness::{Server, shared_images};

/// Programs, and steps of each.
const PROGRAMS: usize = 40;
const STEPS: usize = 50;
const CLIENTS: usize = 4;

/// How something comes to be, and what can be done with it later. `$` is its number, `#` a small number, `@` a string and `~` the
/// number of something of the same kind.
const KINDS: &[(&str, &[&str])] = &[
    (
        "var f$ = (() => { let c = #; return { inc: (d) => c += d, get: () => c } })(); f$.get()",
        &["f$.inc(#)", "[f$.inc(1), f$.get()].join()", "f$ = { ...f$, twice: () => f$.inc(#) + f$.inc(1) }; f$.twice()"],
    ),
    (
        "var g$ = (function* (x) { try { for (;;) { const y = yield x; console.log('got', y); x = (y ?? 1) + x } }
         catch (e) { yield 'caught ' + e; return x } finally { console.log('fin', x) } })(#); g$.next()",
        &["g$.next(#)", "g$.next().value", "JSON.stringify(g$.return(9))", "try { g$.throw(new Error('t#')) } catch (e) { e.message }",
          "[...(function* () { yield* [1, #]; yield g$.next().done })()]"],
    ),
    (
        "var m$ = { log: [] }; m$.done = (async () => { for (let i = 0; ; i++) {
           let v; try { v = await new Promise((y, n) => { m$.y = y; m$.n = n }) } catch (e) { v = 'E' + e }
           m$.log.push([i, v]); console.log('mail', i); if (v === 'stop') return i } })(); 0",
        &["m$.y(#); 0", "m$.n(new RangeError('no #')); 0", "JSON.stringify(m$.log)", "m$.y(@); await 0; m$.log.length",
          "m$.y('stop'); await m$.done", "var all$ = Promise.race([m$.done, new Promise(() => {})]).then((v) => m$.log.push('raced ' + v)); m$.log"],
    ),
    (
        "var p$ = {}; p$.all = Promise.allSettled([1, 2, 3].map((i) => new Promise((y, n) => { p$['y' + i] = y; p$['n' + i] = n })))
         .then((r) => p$.r = JSON.stringify(r)); 0",
        &["p$.y1(#); p$.r", "p$.n2(#); 0", "p$.y3(@); await 0; await 0; 1", "p$.r", "p$.all instanceof Promise"],
    ),
    (
        "var b$ = new ArrayBuffer(72, { maxByteLength: 4096 }); var t$ = new Uint8Array(b$, 3, 40), w$ = new DataView(b$),
         d$ = new Float64Array(b$), i$ = new BigInt64Array(b$, 8, 2); t$.fill(#); t$.length",
        &["t$[#] = 200 + #; t$.join()", "w$.setFloat32(#, Math.PI * #); w$.getInt16(#)", "d$[#] = 1 / 3; d$[#]", "i$[1] = 2n ** 62n - #n; i$[1]",
          "t$.set([#, #, 3], #); String(t$.subarray(2, 7))", "b$.resize(b$.byteLength + 8 * #); [b$.byteLength, d$.length].join()",
          "t$.slice(1, 30).sort().reverse().join('')", "Array.from(d$.entries()).join(' ')", "var c$ = structuredClone(b$); new Uint8Array(c$)[#]"],
    ),
    (
        "var k$ = [{}, [], () => #, Symbol('k')]; var M$ = new Map(k$.map((k, i) => [k, i])); var S$ = new Set(k$); M$.size",
        &["M$.get(k$[1])", "M$.set(k$[0], { n: # }).size", "M$.delete(k$[2])", "S$.has(k$[3]) && [...M$.values()].length",
          "M$.set(NaN, #).set(-0, 1).get(NaN)", "[...M$.keys()].map((k) => typeof k).join()", "var it$ = M$.entries(); it$.next().value?.[1]",
          "it$.next()", "S$.add(@).size", "k$.push({ n: # }); M$.set(k$.at(-1), k$.length); [...M$].length", "new Set([1, #]).union(S$).size"],
    ),
    (
        "var o$ = { n: # }; var W$ = new WeakMap([[o$, 'w#']]), R$ = new WeakRef(o$), V$ = new WeakSet([o$]); W$.get(o$)",
        &["R$.deref() === o$", "W$.set(o$, @).has(o$)", "V$.has(R$.deref())", "R$.deref().n += #", "W$.get(R$.deref())", "W$.has({})"],
    ),
    (
        "var seen$ = []; var P$ = new Proxy({ a: # }, { get(t, k, r) { seen$.push(String(k)); return Reflect.get(t, k, r) },
         has: (t, k) => k !== 'no', ownKeys: (t) => [...Reflect.ownKeys(t), 'z'], deleteProperty(t, k) { seen$.push('-' + k); return delete t[k] } }); P$.a",
        &["P$.a + #", "P$.b# = @; seen$.length", "'no' in P$", "Reflect.ownKeys(P$).join()", "delete P$.b#", "seen$.join()", "JSON.stringify(P$)"],
    ),
    (
        "var r$ = /(?<w>[a-z])(\\d+)?/gy, x$ = 'a1b2c3d#e'; r$.exec(x$)?.[0]",
        &["[r$.exec(x$)?.groups?.w, r$.lastIndex].join()", "r$.test(x$)", "r$.lastIndex = #; r$.lastIndex", "var q$ = x$.matchAll(/[a-c]/g); q$.next().value?.index",
          "q$.next()", "x$.replace(/\\d/g, (d) => d * #)", "r$.source + r$.flags"],
    ),
    (
        "var D$ = new Date(Date.UTC(2020, #, 29, 23, 59, 59, 999)); D$.toISOString()",
        &["D$.setUTCMonth(#)", "D$.setUTCDate(D$.getUTCDate() + 40 + #); D$.toJSON()", "D$.getTime() % 1000", "new Date(NaN).getTime()", "D$.setTime(NaN); String(D$)"],
    ),
    (
        "var s$ = Symbol('s#'), y$ = { [s$]: #, [Symbol.toPrimitive]: (h) => h + # }; y$[s$]",
        &["`${y$}`", "y$[s$] += #", "s$.toString()", "Symbol.for('shared') === (globalThis.sh ??= Symbol.for('shared'))",
          "Object.getOwnPropertySymbols(y$).length", "Symbol.keyFor(sh ??= Symbol.for('shared'))"],
    ),
    (
        "class C$ { #n = 5; static made = 0; static #secret = new Map(); constructor() { C$.made++; C$.#secret.set(this, C$.made) }
         get n() { return this.#n } set n(v) { this.#n = v * 2 } #hid() { return 'h' + this.#n } call() { return this.#hid() + C$.#secret.get(this) }
         static has(o) { return #n in o } } class E$ extends C$ { constructor() { super(); this.z = # } call() { return 'E' + super.call() } }
         var e$ = new E$(); e$.call()",
        &["e$.n = #; e$.n", "e$ = new E$(); C$.made", "C$.has(e$) + '' + C$.has({})", "e$.call()", "e$ instanceof C$ && E$.name", "e$"],
    ),
    (
        "var a$ = { get v() { return ++this.k }, k: # }; Object.defineProperty(a$, 'fixed', { value: #, writable: false }); a$.v",
        &["a$.v", "a$.fixed = 9; a$.fixed", "(() => { 'use strict'; a$.fixed = 9 })()", "Object.freeze(a$); Object.isFrozen(a$)", "a$.k = #; a$.k",
          "JSON.stringify(Object.getOwnPropertyDescriptors(a$))"],
    ),
    (
        "var n$ = 2n ** 90n + #n; n$",
        &["n$ = n$ * #n - 1n; n$", "n$ % 97n", "BigInt.asIntN(64, n$)", "n$ << #n", "n$.toString(36)", "n$ + 1"],
    ),
    (
        "var A$ = [1, , #, 'x']; A$.length = 6; var j$ = A$[Symbol.iterator](); j$.next().value",
        &["j$.next()", "A$.push(@)", "A$.sort().join('|')", "A$[#] = { deep: [#] }; A$", "A$.splice(1, 1).length", "A$.at(-1)", "Object.keys(A$).join()",
          "A$.toSorted?.().length", "delete A$[0]; 0 in A$"],
    ),
    (
        "var z$ = new Error('z#', { cause: { why: # } }); z$.message",
        &["z$.stack", "z$.cause", "throw z$", "new AggregateError([z$, 1], 'agg').errors.length", "z$.stack = 's'; z$", "throw { not: 'an error', n: # }", "null.x#", "undefined_$()"],
    ),
    (
        "var ag$ = (async function* () { try { for (let i = #; ; i++) { const v = yield i; console.log('ag', v) } } finally { console.log('ag over') } })(); (await ag$.next()).value",
        &["(await ag$.next(#)).value", "Promise.all([ag$.next(1), ag$.next(2)]).then((r) => r.map((x) => x.value).join())", "await ag$.return(#)",
          "var pend$ = ag$.next(#); 0", "await pend$?.then?.((x) => x.value)", "for await (const v of ag$) { if (v % 3 === 0) break } (await ag$.next()).done"],
    ),
    (
        "var h$ = setTimeout(() => console.log('never'), 1e8), v$ = setInterval(() => console.log('never'), 1e8); typeof h$",
        &["clearTimeout(h$); 0", "clearInterval(v$); 1", "setTimeout(() => console.log('late #'), 1); 0", "await new Promise((y) => setTimeout(y, 1, #))",
          "h$ = setTimeout(() => {}, 1e8); 0", "setTimeout(() => m_$ = #, 1); 0", "typeof m_$ === 'undefined' ? 0 : m_$"],
    ),
    (
        "var sc$ = structuredClone({ m: new Map([[1, new Set([#])]]), d: new Date(#), e: new TypeError('c'), r: /x/gi, self: null }); sc$.m.get(1).size",
        &["sc$.self = sc$; structuredClone(sc$).self.self.d.getTime()", "sc$.m.get(1).add(@).size", "structuredClone(sc$).e instanceof Error", "structuredClone(() => 1)"],
    ),
    (
        "var td$ = new TextDecoder(), te$ = new TextEncoder(); td$.decode(new Uint8Array([226, 130]), { stream: true })",
        &["td$.decode(new Uint8Array([172]), { stream: true })", "td$.decode(new Uint8Array([240, 159]), { stream: true })", "td$.decode(new Uint8Array([146, 169, 65]), { stream: true })",
          "td$.decode()", "te$.encode(@ + '€').join()", "te$.encodeInto(@, new Uint8Array(4)).written"],
    ),
    (
        "var l$ = 'a\\uD83D' + @ + '\\uDE00b'; l$.length",
        &["l$.isWellFormed()", "l$ += '\\uDC00' + l$.slice(0, 3); l$.length", "[...l$].map((c) => c.codePointAt(0).toString(16)).join()", "l$.toWellFormed()",
          "l$.split('').reverse().join('').charCodeAt(#)", "JSON.stringify(l$)", "encodeURIComponent(l$)", "l$ = l$.repeat(3).slice(0, 5000); l$.at(-1).charCodeAt(0)"],
    ),
    (
        "var fs$ = []; for (let i = 0; i < 3; i++) fs$.push(() => i += #); var tag$ = (s) => s, tt$ = () => tag$`a${1}b`; tt$() === tt$()",
        &["fs$[#]?.()", "globalThis.kept$ ??= tt$(); kept$ === tt$()", "fs$.map((f) => f()).join()", "new Function('a', 'return a * #')(2)", "eval('var ev$ = #; ev$ + 1')",
          "fs$[0].toString()", "(function () { return [].slice.call(arguments, 1).length })(1, 2, #)", "kept$.raw"],
    ),
    (
        "var big$ = new Uint8Array(300_000 + # * 70_000).fill(#); big$.length",
        &["big$[big$.length - #] = 9; big$.at(-2)", "big$ = null; 0", "big$ = Array.from({ length: 20_000 }, (_, i) => ({ i })); big$.length", "big$ &&= big$.slice(#); big$?.length",
          "JSON.stringify(big$)?.length"],
    ),
    (
        "var ac$ = new AbortController(), et$ = new EventTarget(), hits$ = 0; et$.addEventListener('x', () => hits$++, { once: false, signal: ac$.signal }); hits$",
        &["et$.dispatchEvent(new Event('x')); hits$", "ac$.abort(@); ac$.signal.reason", "ac$.signal.aborted", "et$.addEventListener('x', () => hits$ += #, { once: true }); hits$"],
    ),
    (
        "var u$ = new URL('https://h.example/a/../b?x=#'), us$ = u$.searchParams; u$.href",
        &["us$.append('k', @); u$.search", "u$.hash = '#'; u$.href", "us$.sort(); us$.toString()", "us$.delete('x'); us$.size"],
    ),
    (
        "var hash$ = require('crypto').createHash('sha256'); hash$.update(@); 0",
        &["hash$.update(@); 0", "hash$.copy().digest('hex')", "hash$.digest('hex')", "require('crypto').createHmac('sha1', @).update('#').digest('base64')"],
    ),
    (
        "var em$ = new (require('events').EventEmitter)(), heard$ = []; em$.on('a', (x) => heard$.push(x)); em$.once('a', () => heard$.push('once')); 0",
        &["em$.emit('a', #); heard$.join()", "em$.listenerCount('a')", "em$.once('a', () => heard$.push('again')); 0", "em$.emit('error', new Error('e#'))"],
    ),
    (
        "var ih$ = [1, 2, 3, 4, 5, #].values().map((x) => { console.log('m', x); return x * # }).filter((x) => x % 2); ih$.next().value",
        &["ih$.next()", "ih$.take?.(1).toArray().join()", "ih$.drop(1).next().value"],
    ),
    (
        "var deep$ = { n: 0 }; (function down() { deep$.n++; down() })()",
        &["try { deep$.n = 0; (function down() { deep$.n++; down() })() } catch (e) { e.constructor.name }", "let li$ = null; for (let i = 0; i < 3000; i++) li$ = { li: li$ }; 0",
          "(() => { let d = 0, x = globalThis.li_$; while (x) { d++; x = x.li } return d })()", "deep$.n > 1000"],
    ),
    (
        "const co$ = { v: # }; let le$ = [#]; co$.v",
        &["co$ = 1", "le$ = [...le$, #]; le$.length", "let le$ = 2", "co$.v++", "typeof le$", "var co$ = 3"],
    ),
    (
        "Promise.reject(new Error('loose #')); queueMicrotask(() => console.warn('micro #')); 0",
        &["queueMicrotask(() => { throw new Error('in micro #') }); 0", "await Promise.reject(#)", "Promise.any([Promise.reject(1), Promise.reject(2)])",
          "console.error({ a: [1, { b: new Map([[@, #]]) }], f() {}, s: Symbol('x') }); 0", "console.table?.([{ a: # }]); console.count('c'); 0",
          "console.group('g'); console.log(@); 0", "console.groupEnd(); console.log(#); 0"],
    ),
    (
        "var rs$ = new ReadableStream({ start(c) { rs_$ = c; c.enqueue('s#') } }), rd$ = rs$.getReader(); var rs_$; (await rd$.read()).value",
        &["rs_$?.enqueue(@); 0", "rs_$?.enqueue(#); JSON.stringify(await rd$.read())", "rd$.read().then((x) => console.log('read', x.value)); 0", "rs$.locked", "rs_$?.close(); 0"],
    ),
];

const STRINGS: &[&str] =
    &["''", "'x'", "'a\\u0000b'", "'é☃'", "'\\uD800'", "'longer '.repeat(40)", "'__proto__'", "'12'", "'\\u{1F600}'"];

/// Makes up steps.
struct Author {
    dice: Dice,
    /// What there is so far, by kind.
    made: Vec<usize>,
}

impl Author {
    fn step(&mut self) -> String {
        let makes = self.made.is_empty() || (self.made.len() < 12 && self.dice.roll(3) == 0);
        if makes {
            let kind = self.dice.roll(KINDS.len());
            self.made.push(kind);
            return self.filled(KINDS[kind].0, self.made.len() - 1);
        }
        let number = self.dice.roll(self.made.len());
        let uses = KINDS[self.made[number]].1;
        let one = uses[self.dice.roll(uses.len())];
        self.filled(one, number)
    }

    fn filled(&mut self, text: &str, number: usize) -> String {
        let mut filled = String::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                // `${` is JavaScript's.
                '$' if rest.peek() != Some(&'{') => write!(filled, "{number}").unwrap(),
                // `#n` of a class is a name.
                '#' if rest.peek().is_some_and(|next| "nsh".contains(*next)) && text.starts_with("class") => {
                    filled.push('#')
                }
                '#' => write!(filled, "{}", self.dice.roll(7)).unwrap(),
                '@' => filled.push_str(STRINGS[self.dice.roll(STRINGS.len())]),
                c => filled.push(c),
            }
        }
        filled
    }
}

/// All that a step says: how it ends, and what it prints.
fn said(server: &Server, session: &str, step: &str) -> Value {
    let ran = server.try_eval(session, step).expect(201).json;
    let events: Vec<_> = server.events(&ran).iter().map(|event| json!([event["type"], event["payload"]])).collect();
    json!({ "status": ran["status"], "result": ran["result"], "error": ran["error"], "events": events })
}

struct Program {
    author: Author,
    steps: Vec<String>,
    left_alone: String,
    moved: String,
}

impl Program {
    /// Something that must not show.
    fn is_moved(&mut self, server: &Server) -> &'static str {
        match self.author.dice.roll(6) {
            0 => "left",
            1 => {
                restore(server, &self.moved, &newest(server, &self.moved)).expect(200);
                "restored"
            }
            2 | 3 => {
                let count = 1 + self.author.dice.roll(2);
                let mut copies = forks(server, &self.moved, json!({ "count": count }));
                close(server, &std::mem::replace(&mut self.moved, copies.pop().unwrap()));
                copies.iter().for_each(|copy| close(server, copy));
                "forked"
            }
            _ => {
                hibernate(server, &self.moved).expect(200);
                "hibernated"
            }
        }
    }
}

#[test]
fn random_programs_do_not_notice() {
    let seed = std::env::var("DURABLE_SEED").ok().map_or(20_261_123, |seed| seed.parse().unwrap());
    let steps = std::env::var("DURABLE_STEPS").ok().map_or(STEPS, |steps| steps.parse().unwrap());
    let still = Server::start();
    let place = tempfile::tempdir().unwrap();
    let mut server = Server::start_in(place.path(), &shared_images());
    let modules = ["crypto", "events"];
    let fleeting = still.fleeting("t", &modules);
    let durable = template(&server, "t", &modules, &json!({}));
    let mut programs: Vec<Program> = (0..PROGRAMS)
        .map(|n| Program {
            author: Author { dice: Dice(seed + n as u64), made: Vec::new() },
            steps: Vec::new(),
            left_alone: still.session(&fleeting),
            moved: server.session(&durable),
        })
        .collect();
    let mut dice = Dice(seed);
    for _ in 0..steps {
        thread::scope(|scope| {
            for part in programs.chunks_mut(PROGRAMS.div_ceil(CLIENTS)) {
                let (still, server) = (&still, &server);
                scope.spawn(move || {
                    for program in part {
                        let step = program.author.step();
                        let expected = said(still, &program.left_alone, &step);
                        let found = said(server, &program.moved, &step);
                        program.steps.push(step);
                        let told = || program.steps.join("\n---\n");
                        assert_eq!(found, expected, "DURABLE_SEED={seed}, after\n{}", told());
                        let done = program.is_moved(server);
                        program.steps.push(format!("// {done}"));
                    }
                });
            }
        });
        if dice.roll(6) == 0 {
            server.kill();
            server = Server::start_in(place.path(), &shared_images());
        }
    }
    let (still, moved) = (still.log(), server.log());
    assert!(!still.contains("panicked") && !moved.contains("panicked"), "{still}{moved}");
}
