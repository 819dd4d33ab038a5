//! Values of every WIT kind on their way through a host call and back, over the real guest. The module that echoes them
//! is in no server's registry, so this is the one suite that speaks to the engine itself.
use std::sync::{LazyLock, mpsc};

use model::{Limits, ModuleName};
use proptest::prelude::*;
use sandbox::{Config, ECHO, Engine, Mode, Outcome, Recipe, Sandbox, Script, Setup, Stop};
use serde_json::json;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let config = Config {
        data_dir: crate::harness::shared_images(),
        sessions_max: 32,
        threads: 2,
        modules: vec![&ECHO],
        ..Config::default()
    };
    Engine::new(config).unwrap()
});

/// A live heap with `echo` in scope.
struct Session(Option<Sandbox>);

impl Session {
    fn start() -> Self {
        let recipe = Recipe { modules: vec![ModuleName::parse("echo").unwrap()], libraries: Vec::new() };
        let limits = Limits { cpu_ms: 20_000, wall_ms: 60_000, max_output_kb: 8_192, ..Limits::default() };
        let sandbox = ENGINE.image(&recipe).unwrap().start(Setup::new(limits, None)).unwrap();
        let mut session = Session(Some(sandbox));
        session.eval("const echo = require('echo'); 0").unwrap();
        session
    }

    /// The completion value's preview, or the exception's message. A trap fails the test.
    fn eval(&mut self, source: &str) -> Result<String, String> {
        let sandbox = self.0.take().unwrap();
        let (send, receive) = mpsc::channel();
        let source = source.to_owned();
        let first = move || {
            let script = Script { prologue: "", source: &source, name: "test.js", mode: Mode::Script };
            sandbox.run(script, &Stop::default(), Box::new(|_| {}))
        };
        ENGINE.run(first, move |ran| drop(send.send(ran)));
        let ran = receive.recv().unwrap();
        let answer = match ran.outcome {
            Outcome::Value(value) => Ok(value.preview),
            Outcome::Exception(thrown) => Err(thrown.message),
        };
        assert!(ran.sandbox.is_some(), "the guest trapped: {answer:?}");
        self.0 = ran.sandbox;
        answer
    }

    fn json(&mut self, expression: &str) -> Result<serde_json::Value, String> {
        let text = self.eval(&format!("JSON.stringify({expression})"))?;
        Ok(serde_json::from_str(&text).unwrap_or(serde_json::Value::Null))
    }
}

#[test]
fn every_kind_comes_back_as_it_went() {
    let mut session = Session::start();
    for (call, expected) in [
        ("echo.echoU8(255)", json!(255)),
        ("echo.echoS8(-128)", json!(-128)),
        ("echo.echoU16(65535)", json!(65535)),
        ("echo.echoS16(-32768)", json!(-32768)),
        ("echo.echoU32(4294967295)", json!(4294967295_u32)),
        ("echo.echoS32(-2147483648)", json!(-2147483648)),
        ("String(echo.echoU64(18446744073709551615n))", json!("18446744073709551615")),
        ("typeof echo.echoU64(1)", json!("bigint")),
        ("String(echo.echoS64(-9223372036854775808n))", json!("-9223372036854775808")),
        ("echo.echoF32(1.5)", json!(1.5)),
        ("echo.echoF64(0.1)", json!(0.1)),
        ("Object.is(echo.echoF64(-0), -0)", json!(true)),
        ("Number.isNaN(echo.echoF64(NaN))", json!(true)),
        ("echo.echoF64(Infinity) === Infinity", json!(true)),
        ("echo.echoBool(true)", json!(true)),
        ("echo.echoChar('\\u{1F600}')", json!("\u{1F600}")),
        ("echo.echoString('h\\u00e9 \\u{1F600} \\0 end')", json!("hé \u{1F600} \0 end")),
        ("echo.echoString('\\ud800x')", json!("\u{fffd}x")),
        ("Array.from(echo.echoBytes(new Uint8Array([1, 2, 255])))", json!([1, 2, 255])),
        ("echo.echoBytes(new Uint8Array(0)).constructor.name", json!("Uint8Array")),
        ("echo.echoList([1, 2, 3])", json!([1, 2, 3])),
        ("echo.echoList([])", json!([])),
        ("echo.echoNested([['a', 'b'], [], ['c']])", json!([["a", "b"], [], ["c"]])),
        ("echo.echoPoint({xPos: -3, yPos: 2.5, tags: ['t']})", json!({"xPos": -3, "yPos": 2.5, "tags": ["t"]})),
        ("echo.echoShape({tag: 'empty'})", json!({"tag": "empty"})),
        ("echo.echoShape({tag: 'circle', val: 1.5})", json!({"tag": "circle", "val": 1.5})),
        (
            "echo.echoShape({tag: 'poly', val: [{xPos: 1, yPos: 2, tags: []}]})",
            json!({"tag": "poly", "val": [{"xPos": 1, "yPos": 2, "tags": []}]}),
        ),
        ("echo.echoColor('dark-red')", json!("dark-red")),
        ("echo.echoPerms({canRead: true, exec: true})", json!({"canRead": true, "canWrite": false, "exec": true})),
        ("echo.echoOption('a')", json!("a")),
        ("echo.echoOption(null)", json!(null)),
        ("echo.echoOption() === null", json!(true)),
        ("echo.echoOptionOption(3)", json!(3)),
        ("echo.echoTuple([1, 'x', false])", json!([1, "x", false])),
        ("echo.echoResult({tag: 'ok', val: 3})", json!(3)),
        ("echo.add(2147483647, 1)", json!(-2147483648)),
    ] {
        assert_eq!(session.json(call).as_ref(), Ok(&expected), "{call}");
    }
}

#[test]
fn a_wrong_argument_is_a_type_error_that_names_it() {
    let mut session = Session::start();
    for (call, names) in [
        ("echo.echoU8(256)", "echoU8"),
        ("echo.echoU8(-1)", "echoU8"),
        ("echo.echoU8(1.5)", "echoU8"),
        ("echo.echoU8('1')", "echoU8"),
        ("echo.echoU8(NaN)", "echoU8"),
        ("echo.echoU8()", "echoU8"),
        ("echo.echoU64(-1n)", "echoU64"),
        ("echo.echoU64(18446744073709551616n)", "echoU64"),
        ("echo.echoS64(9223372036854775808n)", "echoS64"),
        ("echo.echoBool(1)", "echoBool"),
        ("echo.echoChar('ab')", "echoChar"),
        ("echo.echoChar('')", "echoChar"),
        ("echo.echoString(1)", "echoString"),
        ("echo.echoString(Symbol())", "echoString"),
        ("echo.echoBytes('abc')", "echoBytes"),
        ("echo.echoList([1, '2'])", "[1]"),
        ("echo.echoList({length: 1, 0: 1})", "echoList"),
        ("echo.echoPoint(null)", "echoPoint"),
        ("echo.echoPoint({xPos: 1, yPos: 2, tags: ['a', 3]})", "tags[1]"),
        ("echo.echoPoint({xPos: 1, yPos: 2})", "tags"),
        ("echo.echoShape({tag: 'nope'})", "echoShape"),
        ("echo.echoShape({tag: 'circle'})", "echoShape"),
        ("echo.echoColor('blue')", "echoColor"),
        ("echo.echoPerms(1)", "echoPerms"),
        ("echo.echoTuple([1, 'x'])", "echoTuple"),
        ("echo.echoResult({tag: 'maybe'})", "echoResult"),
        ("echo.add(1, 'x')", "add: argument 2 (b): "),
        ("echo.echoPoint({xPos: 1, yPos: 2, tags: [1]})", "argument 1 (v).tags[0]: "),
    ] {
        let message = session.eval(call).unwrap_err();
        assert!(message.starts_with("TypeError: "), "{call}: {message}");
        assert!(message.contains(names), "{call}: {message}");
    }
}

#[test]
fn an_error_result_is_thrown() {
    let mut session = Session::start();
    let caught =
        "try { echo.echoResult({tag: 'err', val: 'bad'}) } catch (e) { [e instanceof Error, e.message].join() }";
    assert_eq!(session.eval(caught).unwrap(), "true,bad");
    let payload = "try { echo.echoResultRecord({tag: 'err', val: {xPos: 1, yPos: 2, tags: []}}) }
                   catch (e) { JSON.stringify(e.payload) }";
    assert_eq!(session.eval(payload).unwrap(), r#"{"xPos":1,"yPos":2,"tags":[]}"#);
    assert!(session.eval("echo.echoResultUnit({tag: 'err'})").is_err());
    assert_eq!(session.eval("echo.echoResultUnit({tag: 'ok'})").unwrap(), "undefined");
}

#[test]
fn hostile_values_do_not_trap() {
    let mut session = Session::start();
    for source in [
        "echo.echoPoint({get xPos() { throw new SyntaxError('getter') }})",
        "let a = {get xPos() { return echo.echoPoint(a) }}; echo.echoPoint(a)",
        "echo.echoList(new Proxy([], {get: (t, k) => k === 'length' ? 2 ** 53 - 1 : 1}))",
        "echo.echoList(Object.assign([], {length: 2 ** 32 - 1}))",
        "echo.echoNested([['a'], new Proxy([], {getPrototypeOf() { throw 1 }, get() { throw 2 }})])",
        "const grow = []; grow.push({toString() { return 'x' }}); echo.echoNested([grow])",
        "const shrink = [{get tag() { shrink.length = 0; return 'empty' }}]; echo.echoShape(shrink[0]); echo.echoList(shrink)",
        "const b = new Uint8Array(new ArrayBuffer(8, {maxByteLength: 16})); b.buffer.resize(0); echo.echoBytes(b).length",
        "const d = new ArrayBuffer(8); const v = new Uint8Array(d); d.transfer?.(); echo.echoBytes(v).length",
        "let deep = []; for (let i = 0; i < 1e5; i++) deep = [deep]; echo.echoNested(deep)",
        "echo.echoString('x'.repeat(3e7)).length",
        "echo.text('x'.repeat(6e7)).length",
        "echo.echoBytes(new Uint8Array(6e7)).length",
        "echo.echoList(new Array(3e6).fill(1)).length",
        "echo.echoNested(new Array(3e5).fill(['abc', 'def'])).length",
        "Reflect.construct(echo.nop, [])",
        "echo.nop.call(null, ...new Array(10000).fill(0))",
    ] {
        // Any answer will do, as long as the heap is sound afterwards.
        let _ = session.eval(&format!("(() => {{ {source} }})()"));
        assert_eq!(session.eval("echo.add(20, 22)").as_deref(), Ok("42"), "after {source}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_survives(text in any::<String>(), list in prop::collection::vec(prop::collection::vec(any::<String>(), 0..4), 0..4)) {
        let mut session = Session::start();
        let source = json!(text).to_string();
        prop_assert_eq!(session.json(&format!("echo.echoString({source})")), Ok(json!(text)));
        let source = json!(list).to_string();
        prop_assert_eq!(session.json(&format!("echo.echoNested({source})")), Ok(json!(list)));
    }

    #[test]
    fn any_number_survives_or_is_refused(number in any::<f64>(), small in -70_000_i64..70_000) {
        let mut session = Session::start();
        let whole = |low: i64, high: i64| (low..=high).contains(&small);
        for (function, fits) in [
            ("echoU8", whole(0, 255)), ("echoS8", whole(-128, 127)),
            ("echoU16", whole(0, 65_535)), ("echoS16", whole(-32_768, 32_767)),
        ] {
            let answer = session.json(&format!("echo.{function}({small})"));
            prop_assert_eq!(answer.ok(), fits.then(|| json!(small)));
        }
        let bits = number.to_bits();
        let same = format!("(() => {{ const view = new DataView(new ArrayBuffer(8)); view.setBigUint64(0, {bits}n);
            const n = view.getFloat64(0); return Object.is(echo.echoF64(n), n) }})()");
        prop_assert_eq!(session.eval(&same), Ok("true".to_owned()));
    }

    #[test]
    fn any_big_integer_survives(unsigned in any::<u64>(), signed in any::<i64>()) {
        let mut session = Session::start();
        prop_assert_eq!(session.eval(&format!("String(echo.echoU64({unsigned}n))")), Ok(unsigned.to_string()));
        prop_assert_eq!(session.eval(&format!("String(echo.echoS64({signed}n))")), Ok(signed.to_string()));
    }

    #[test]
    fn any_bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut session = Session::start();
        let source = json!(bytes).to_string();
        prop_assert_eq!(session.json(&format!("Array.from(echo.echoBytes(new Uint8Array({source})))")), Ok(json!(bytes)));
    }
}

#[test]
fn asynchronous_calls_answer_with_promises() {
    let mut session = Session::start();
    assert_eq!(session.eval("await echo.later(1, 'x')").as_deref(), Ok("x"));
    assert_eq!(
        session.eval("(await Promise.all([30, 10, 20].map((ms) => echo.later(ms, String(ms))))).join()").as_deref(),
        Ok("30,10,20")
    );
    let failed = "try { await echo.later(1, 'failed') } catch (e) { [e instanceof Error, e.code, e.message, Object.keys(e)].join() }";
    assert_eq!(session.eval(failed).as_deref(), Ok("true,FAILED,failed later,code"));
    let refused = "const p = echo.later(1, 'refused'); await p.then(() => 'no', (e) => e.code)";
    assert_eq!(session.eval(refused).as_deref(), Ok("REFUSED"));
    let mistyped = "await echo.later('x').then(() => 'no', (e) => e.name + ': ' + e.message)";
    assert_eq!(
        session.eval(mistyped).as_deref(),
        Ok("TypeError: later: argument 1 (ms): expected a number, got a string")
    );
    assert_eq!(
        session.eval("[echo.later.name, echo.later.length, 'laterStart' in echo].join()").as_deref(),
        Ok("later,2,false")
    );
}
