//! TypeScript: what JavaScript is told of a module, and sources that are written in it.
mod declarations;
mod strip;

pub use declarations::{FunctionFacts, Seen, declarations_for};
pub(crate) use declarations::{declarations, functions, parameters};
pub use strip::{Stripped, SyntaxError, declarations_of, strip};
pub(crate) use strip::{cache_in, is_typescript_name, prepare, strip_line, strip_metered};

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::strip::{SOURCE_BYTES_MAX, strip_line, strip_within};
    use super::*;

    /// TypeScript, and what is left of it.
    const BLANKED: &[(&str, &str)] = &[
        ("let a: number = 1", "let a         = 1"),
        ("let a!: number", "let a         "),
        ("const b = x as any as T;", "const b = x            ;"),
        ("const b = x satisfies T<U>", "const b = x               "),
        ("x!.y![0]!()", "x .y [0] ()"),
        (
            "function f<T extends U>(this: W, a?: A, ...b: B[]): a is T { return a as T }",
            "function f             (         a    , ...b     )         { return a      }",
        ),
        ("const f = <T,>(a: T): T => a", "const f =     (a   )    => a"),
        ("const f = async <T,>(a: T): Promise<T> => a", "const f = async     (a   )             => a"),
        ("f<A, B>(x); new C<D>(); t<E>`x`; f?.<A>()", "f      (x); new C   (); t   `x`; f?.   ()"),
        ("interface A { b: C }\nlet x", ";                   \nlet x"),
        ("type A = B;", ";          "),
        (
            "declare const a: 1; declare function f(): void; declare module 'x' { } declare global { }",
            ";                   ;                           ;                      ;                 ",
        ),
        ("function f(): void;\nfunction f(a?: 1) { }", ";                  \nfunction f(a    ) { }"),
        (
            "abstract class A<T> extends B<T> implements C, D<T> { }",
            "         class A    extends B                       { }",
        ),
        (
            "class A { private readonly a: 1 = 1; public static b?: 2; declare c: 3; abstract d(): void; [k: string]: any }",
            "class A {                  a    = 1;        static b    ; ;             ;                   ;                }",
        ),
        (
            "class A { private async *f?<T>(): T { } protected get x(): 1 { return 1 } override y() { } }",
            "class A {         async *f    ()    { }           get x()    { return 1 }          y() { } }",
        ),
        (
            "class A { a = 1\n private [b] = 2\n public *c() {} }",
            "class A { a = 1\n ;       [b] = 2\n ;      *c() {} }",
        ),
        ("class A { get: any\n foo() {} }", "class A { get;    \n foo() {} }"),
        ("class A { constructor(x); constructor(x?: 1) { } }", "class A { ;               constructor(x    ) { } }"),
        ("let a = b as any\n(c)", "let a = b ;     \n(c)"),
        ("let a = b satisfies any\n[c]", "let a = b ;            \n[c]"),
        ("let a = b\ntype T = 1\n(c)", "let a = b\n;         \n(c)"),
        ("const f = (a: 1): {\n b: 1\n} => a", "const f = (a       \n     \n) => a"),
        ("const f = async <\n T\n>(a: T) => a", "const f = async (\n  \n  a   ) => a"),
        ("try { } catch (e: unknown) { }", "try { } catch (e         ) { }"),
        ("for (const x of y as any[]) { }", "for (const x of y         ) { }"),
        (
            "import type { A } from 'a'; import { type B, c } from 'b'; c",
            ";                           import {         c } from 'b'; c",
        ),
        ("import D, { type E } from 'd'; D", "import D, {        } from 'd'; D"),
        ("import D, * as N from 'd'; let x: N.T = D", "import D         from 'd'; let x      = D"),
        ("import { A } from 'a'; let x: A; export { x }", ";                      let x   ; export { x }"),
        ("import { A } from 'a'; export { A }", "import { A } from 'a'; export { A }"),
        ("import 'a'; import { } from 'b'", "import 'a'; import { } from 'b'"),
        (
            "interface I {} const v = 1; export { I, v, type I as J }",
            ";              const v = 1; export {    v,             }",
        ),
        (
            "export type { A } from 'a'; export { type B, c } from 'b'; export type * from 'c'",
            ";                           export {         c } from 'b'; ;                     ",
        ),
        ("export default interface I { }", ";                             "),
        ("export declare const a: 1", ";                        "),
        ("namespace N { export type A = 1 }", ";                                "),
        ("let é: été = 1", "let é      = 1"),
        ("a < b > (c)", "a       (c)"),
        ("const x = y as unknown /* why */ as T // z", "const x = y                           // z"),
        ("type A = `${B}-${C}`; let s = `${x as any}`", ";                     let s = `${x       }`"),
    ];

    /// TypeScript whose blanks are only counted.
    const MORE: &[&str] = &[
        "(a as any) = 1; (b!) = 2; [c as any] = d; a!++; delete (a as any).b; x = y as any ? 1 : 2",
        "for ((e as any).f of g as any[]) { } for (const k in h!) { }",
        "export default abstract class A { }",
        "if (a) (b as any)\nelse c as any",
        "let x: typeof import('a'), y: new () => void, z: [a: 1, b?: 2, ...c: 3[]], w: abstract new () => 1",
        "function f(v: unknown): asserts v is string { }\nfunction g(this: void) { }",
        "abstract class X { abstract get a(): number; abstract b: 1; static { } private constructor() { super() } }",
        "class A<const T, in out U = 1> { a?; b!: 1; get; set; static; readonly = 1; private get c() { return 1 } d?(e: 1) { } }",
        "class A { private static async *[Symbol.iterator]<T>(a?: T): any { } declare readonly b: 1; c = <T,>(d: T): d is T => 1 }",
        "let a = b as any as\n T\n;[1]",
        "const x = a as any\n`b`",
        "const f = () => {\n return <T\n>(x: T) => x\n}",
        "let o = { f<T>(a: T): T { return a }, async *g(): any { }, get h(): 1 { return 1 } }",
        "const { a, b: [c] }: { a: 1; b: [2] } = d as any, e = (f: (g: 1) => void): void => { }",
        "switch (a as any) { case b!: default: c<1>() } throw a as Error",
        "async function* f<T>(...a: T[]): AsyncGenerator<T> { yield a[0]!; await (a as any); yield* b as any }",
        "import a, { type b, c as d, type e as f } from 'a'; a(d); export type { b }; export * from 'x'; export * as y from 'z'",
        "function f(): void\nfunction f(a?: 1): void\nfunction f() { }\n(1)",
        "let a = 1 /* é */ as /* ü\r\n */ any // ö\r\nb",
        "label: for (;;) { break label } type = type as any; declare\nabstract\nnamespace\nfoo",
        "unique: 1; let is: is, asserts: asserts, readonly: readonly string[]",
        "let a: `x${string}` = `y${b as any}`; tag<T>`z${c!}`",
        "class A extends (B as any)<C> implements D.E<F> { }\nnew (A as any)<1>(); const g = f<string>; g",
        "\u{feff}let bom: 1",
    ];

    /// TypeScript that is more than types, and what it becomes.
    const REWRITTEN: &[(&str, &str)] = &[
        (
            "enum E { A, B = 5, C, D = 'd' }",
            "var E;(function(E){ E[E[\"A\"]=0]=\"A\";  E[E[\"B\"]=5]=\"B\";  E[E[\"C\"]=E[\"B\"]+1]=\"C\";  E[\"D\"]='d'; })(E||(E={}));",
        ),
        (
            "export const enum E {\n A = 1 << 2,\n B = A | 1 }",
            "export var E;(function(E){\n E[E[\"A\"]=1 << 2]=\"A\"; \n E[E[\"B\"]=E.A | 1]=\"B\"; })(E||(E={}));",
        ),
        (
            "class A extends B { constructor(private x: 1, readonly y = 2) { super(); f() } }",
            "class A extends B { constructor(        x   ,          y = 2) { super();;this.x=x;this.y=y; f() } }",
        ),
        (
            "class A { constructor(public x) { 'use strict' } }",
            "class A { constructor(       x) { 'use strict';this.x=x; } }",
        ),
        ("<T>{ a: 1 }", "(  { a: 1 })"),
        ("import fs = require('fs'); fs.x", "const fs = require('fs'); fs.x"),
    ];

    fn stripped(source: &str) -> String {
        strip(source, "a.ts").unwrap_or_else(|error| panic!("{source}: {error:?}")).javascript
    }

    #[test]
    fn types_become_blanks() {
        let wrong: Vec<_> = BLANKED.iter().filter(|(source, expected)| stripped(source) != *expected).collect();
        let found: Vec<_> = wrong.iter().map(|(source, _)| stripped(source)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{found:#?}");
    }

    #[test]
    fn what_is_no_type_keeps_its_line() {
        for (source, expected) in REWRITTEN {
            assert_eq!(stripped(source), *expected, "{source}");
        }
        let source = "interface A { }\n\n\nnamespace N {\n  export const a = 1;\n  // b\n  export function f() {\n    return `x\ny`;\n  }\n}\nthrow N.a;";
        let lines: Vec<String> = stripped(source).lines().map(str::to_owned).collect();
        assert!(lines[11].contains("throw"), "{lines:#?}");
        assert!(lines[6].contains("function f"), "{lines:#?}");
        assert!(lines[7].contains("return `x"), "{lines:#?}");
        assert_eq!(lines.len(), 12, "{lines:#?}");
    }

    #[test]
    fn what_is_left_is_javascript_of_the_same_shape() {
        for source in BLANKED.iter().map(|(source, _)| *source).chain(MORE.iter().copied()) {
            let left = stripped(source);
            let shape = |text: &str| text.split('\n').map(|line| line.chars().count()).collect::<Vec<_>>();
            assert_eq!(shape(&left), shape(source), "{source}");
            assert_eq!(strip_line(&left), None, "{left} is no JavaScript");
        }
        for (source, _) in REWRITTEN {
            let left = stripped(source);
            assert_eq!(left.lines().count(), source.lines().count());
            assert_eq!(strip_line(&left), None, "{left} is no JavaScript");
        }
    }

    #[test]
    fn javascript_stays_as_it_is() {
        let sources = [
            "a ? (b) : c => d; x = a ? (b, c) : d\nlabel: for (;;) { break label }\n`${`${1}`}`; /[/]/.test('/')",
            "class A { #x = 1; static { } get a() { return this.#x } 'b'() { } static async *c() { } }",
            "import a from 'a'; import * as b from 'b'; a(b); export default class { } export { a as 'b c' }",
            "var as, type, declare, abstract, namespace, of, is, enumx; as = type; type\nas\n(1)",
            "if (a) { b } else if (c) d; else { } do x++; while (x < 9) async () => { await 1 }",
        ];
        for source in sources {
            assert_eq!(stripped(source), source);
        }
        assert_eq!(strip_line("a < b > (c)"), None, "valid JavaScript keeps its meaning");
        assert_eq!(strip_line("let a: number = 1").as_deref(), Some("let a         = 1"));
        assert_eq!(strip_line("let let = ("), None);
    }

    #[test]
    fn modules_are_told_by_what_they_hold() {
        for (source, module) in
            [("let a: 1", false), ("import type { A } from 'a'", true), ("export {}", true), ("await x", false)]
        {
            assert_eq!(strip(source, "a.ts").unwrap().module, module, "{source}");
            assert!(strip(source, "a.mts").unwrap().module);
        }
    }

    #[test]
    fn errors_say_where() {
        let error = strip("let a = 1\nlet b: = 2", "a.ts").unwrap_err();
        assert_eq!((error.line, error.column), (2, 8), "{error:?}");
        for (source, part) in
            [("@d class A { }", "Decorators"), ("export = 1", "export ="), ("class A { accessor b = 1 }", "accessor")]
        {
            assert!(strip(source, "a.ts").unwrap_err().message.contains(part), "{source}");
        }
    }

    #[test]
    fn declarations_are_of_exports() {
        let source = "/** Adds. */\nexport function add(a: number, b: number): number { return a + b }\nconst hidden = 1;\nexport const version: string = '1';\nexport default add;";
        let declared = declarations_of(source, "a.ts").unwrap();
        assert!(
            declared.contains("/** Adds. */\nexport declare function add(a: number, b: number): number;"),
            "{declared}"
        );
        assert!(declared.contains("export declare const version: string;"), "{declared}");
        assert!(!declared.contains("hidden"), "{declared}");
        assert!(declarations_of("export const x = f();", "a.ts").is_err());
    }

    #[test]
    fn hostile_sources_are_errors_in_bounded_time() {
        let open = [
            "(",
            "[",
            "{",
            "(a=",
            "`${",
            "a<",
            "!",
            "typeof ",
            "new ",
            "1+",
            "1**",
            "a=",
            "a=>",
            "a?b:",
            "if(a)",
            "x:",
            "do ",
            "async(a=",
            "<T>(a=",
            "let a:(",
            "type A=(a:",
            "type A=[",
            "type A={a:",
            "type A=B<",
            "type A=B extends C?D:",
            "type A=keyof ",
            "@(",
            "a?(b=",
            "a.b",
            "class A extends (",
            "function f(){",
            "else if(a)b;",
            "import(",
            "<",
            "a!",
            "a as ",
            "`",
            "/",
            "'",
            "namespace a.",
            "\u{feff}",
            "({a:",
            "({a=",
            "[a=",
            "for(a of ",
            "(a?:",
            "async ",
            "yield ",
            "await ",
            "enum A{a=",
        ];
        prepare();
        for piece in open {
            for count in [1_000, 100_000] {
                let source = piece.repeat(count);
                let started = Instant::now();
                let _ = strip(&source, "a.ts");
                let took = started.elapsed();
                assert!(took < Duration::from_secs(10), "{piece} {count} times: {took:?}");
            }
        }
        let nested = |count: usize| format!("x = {}1{}", "(".repeat(count), ")".repeat(count));
        assert!(strip(&nested(1_000), "a.ts").is_ok());
        let error = strip(&nested(100_000), "a.ts").unwrap_err();
        assert!(error.message.contains("nested too deeply"), "{error:?}");
        for (open, close) in [("(a=", ")"), ("a?(b=", "):d"), ("async(a=", ")"), ("({a:", "})")] {
            let once = format!("{}1{};", open.repeat(300), close.repeat(300));
            let source = once.repeat(SOURCE_BYTES_MAX / once.len());
            let started = Instant::now();
            let result = strip(&source, "a.ts");
            assert!(result.unwrap_err().message.contains("too intricate"), "{open}");
            assert!(started.elapsed() < Duration::from_secs(20), "{open}: {:?}", started.elapsed());
        }
        // The next one is none the wiser.
        assert!(strip(&nested(10), "a.ts").is_ok());
    }

    #[test]
    fn time_that_is_left_is_the_bound() {
        prepare();
        let source = "let a: number = 1;\n".repeat(100_000);
        assert!(strip_within(&source, "a.ts", Duration::from_secs(5)).0.unwrap().is_ok());
        let started = Instant::now();
        assert_eq!(strip_within(&source, "a.ts", Duration::from_millis(1)).0, None);
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    }

    #[test]
    fn sizes_are_bounded_on_both_sides() {
        let line = "export function f<T>(a: T, b: A): number { return b.x as number }\n";
        let source = line.repeat(SOURCE_BYTES_MAX / line.len());
        let started = Instant::now();
        let left = strip(&source.replace("export ", ""), "a.ts").unwrap().javascript;
        assert!(left.len() > 7 << 20);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        let error = strip(&" ".repeat(SOURCE_BYTES_MAX + 1), "a.ts").unwrap_err();
        assert!(error.message.contains("larger than"), "{error:?}");
    }
}
