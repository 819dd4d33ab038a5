//! `fetch` against a server on the loopback.
use serde_json::json;

use crate::harness::{Ran, run_js};
use crate::web::Web;

/// Runs a script with a grant, the operator allowing 127.0.0.1 alone. `WEB` in it is the server.
fn run_granted(web: &Web, grant: &serde_json::Value, script: &str) -> Ran {
    let module = format!("fetch={grant}");
    let flags = ["--allow-private-networks=127.0.0.1", "--wall-ms", "20000", "--module", &module];
    run_js(&flags, &script.replace("WEB", &web.url()))
}

/// The same with the server and every method granted, and `more`.
fn run(web: &Web, more: serde_json::Value, script: &str) -> Vec<String> {
    let mut grant = json!({ "origins": [web.url()], "private": true,
        "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] });
    grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ran = run_granted(web, &grant, script);
    assert_eq!(ran.status, Some(0), "{}{}", ran.stdout, ran.stderr);
    ran.stdout.lines().map(str::to_owned).collect()
}

/// `code(url, init)` in scripts: how it fails.
const CODE: &str = "const code = async (url, init) => {
    try { const r = await fetch(url, init); await r.arrayBuffer(); return `reached ${r.status}`; } catch (e) { return e.code ?? e.name; }
};\n";

#[test]
fn an_answer_is_a_response() {
    let web = Web::start();
    let out = run(
        &web,
        json!({}),
        "const r = await fetch('WEB/hello?a=1#fragment');
        console.log(r instanceof Response, r.status, r.ok, r.statusText, r.url === 'WEB/hello?a=1', r.redirected, r.type);
        console.log(r.headers.get('content-type'), r.bodyUsed, await r.text(), r.bodyUsed);
        const echo = await fetch('WEB/echo', { method: 'post', headers: { 'X-A': 'b', 'user-agent': 'me' }, body: new URLSearchParams({ q: 'ä b' }) });
        const { method, headers, body } = await echo.json();
        console.log(method, body, headers['x-a'], headers['user-agent'], headers['content-type'], headers.host === 'WEB'.slice(7));
        console.log(headers['accept-encoding'], headers.accept, echo.headers.getSetCookie().join());
        const again = await fetch(new Request('WEB/echo', { method: 'PUT', body: new Uint8Array([104, 105]) }));
        console.log(JSON.stringify((await again.json()).body));
        const head = await fetch('WEB/hello', { method: 'HEAD' });
        console.log(head.status, head.headers.get('content-length'), head.body, await head.text() === '');
        const none = await fetch('WEB/status?204'); console.log(none.status, none.body);
        const wrong = await fetch('WEB/status?503'); console.log(wrong.status, wrong.ok, wrong.statusText);
        console.log((await (await fetch('WEB/hello')).arrayBuffer()).byteLength, (await (await fetch('WEB/hello')).bytes()).length);",
    );
    assert_eq!(
        out,
        [
            "true 200 true OK true false basic",
            "text/plain false hello true",
            "POST q=%C3%A4+b b me application/x-www-form-urlencoded;charset=UTF-8 true",
            "gzip */* a=1,b=2",
            "\"hi\"",
            "200 5 null true",
            "204 null",
            "503 false Whatever",
            "5 5",
        ]
    );
    assert_eq!(web.connections(), 1, "one connection for all of them");
}

#[test]
fn bodies_stream() {
    let web = Web::start();
    let out = run(
        &web,
        json!({}),
        "const decoder = new TextDecoder();
        let text = '', pieces = 0;
        for await (const piece of (await fetch('WEB/chunks?5')).body) { text += decoder.decode(piece); pieces++; }
        console.log(text, pieces > 1);
        let bytes = 0, largest = 0;
        for await (const piece of (await fetch('WEB/big?3000000')).body) { bytes += piece.length; largest = Math.max(largest, piece.length); }
        console.log(bytes, largest <= 65536);
        // One that is given up gives its place back.
        for (let i = 0; i < 40; i++) {
            const reader = (await fetch('WEB/endless?1000')).body.getReader();
            await reader.read();
            await reader.cancel();
        }
        console.log(await (await fetch('WEB/hello')).text());
        console.log((await (await fetch('WEB/gzip?500000')).text()).length);",
    );
    assert_eq!(out, ["chunk 0;chunk 1;chunk 2;chunk 3;chunk 4; true", "3000000 true", "hello", "500000"]);
}

#[test]
fn limits_to_the_edge() {
    let web = Web::start();
    let script = format!(
        "{CODE}
        console.log(await code('WEB/big?10240'), await code('WEB/big?10241'));
        console.log(await code('WEB/gzip?10240'), await code('WEB/gzip?10241'), await code('WEB/gzip?50000000'));
        console.log(await code('WEB/endless?1000'));
        console.log(await code('WEB/head?30000'), await code('WEB/head?100000'));
        console.log(await code('WEB/not-gzip'), await code('WEB/cut'), await code('WEB/close'), await code('WEB/garbage'));
        console.log(await code('WEB/slow?2000', {{ timeout: 100 }}), await code('WEB/slow?10', {{ timeout: 1000 }}));
        console.log(await code('WEB/loop?1'));
        const large = await fetch('WEB/big?10241').catch((e) => e.message); console.log(large);"
    );
    let out = run(&web, json!({ "max_response_kb": 10 }), &script);
    assert_eq!(
        out,
        [
            "reached 200 EMSGSIZE",
            "reached 200 EMSGSIZE EMSGSIZE",
            "EMSGSIZE",
            "reached 200 EMSGSIZE",
            "EBADMSG ECONNRESET ECONNRESET EBADMSG",
            "ETIMEDOUT reached 200",
            "EREDIRECT",
            "the answer is larger than 10 KiB: `max_response_kb` of the grant",
        ]
    );
    let loops = web.heads().iter().filter(|head| head.starts_with("GET /loop")).count();
    assert_eq!(loops, 21, "20 redirects");
}

/// A connection that was idle may be closed just when the next request is on its way.
#[test]
fn what_changes_nothing_is_sent_again() {
    let web = Web::start();
    let script = format!(
        "{CODE}
        console.log(await code('WEB/once'), await code('WEB/once'), await code('WEB/once', {{ method: 'POST' }}));
        console.log(await code('WEB/once'), await code('WEB/once', {{ method: 'HEAD' }}), await code('WEB/close'));"
    );
    let out = run(&web, json!({}), &script);
    assert_eq!(out, ["reached 200 reached 200 ECONNRESET", "reached 200 reached 200 ECONNRESET"]);
    let sent: Vec<String> = web.heads().iter().map(|head| head.chars().take(9).collect()).collect();
    let [get, post, head, close] = ["GET /once", "POST /onc", "HEAD /onc", "GET /clos"];
    assert_eq!(sent, [get, get, get, post, get, head, head, close, close], "on a new connection, once");
}

#[test]
fn many_at_once_and_no_more_than_granted() {
    let web = Web::start();
    let script = "const began = Date.now();
        const all = await Promise.all(Array.from({ length: 40 }, () => fetch('WEB/slow?100').then((r) => r.text())));
        const ms = Date.now() - began;
        console.log(all.length, ms >= 400, ms < 3000);";
    assert_eq!(run(&web, json!({ "concurrency": 10 }), script), ["40 true true"]);
    assert!(web.connections() <= 40, "{}", web.connections());
    let held = format!(
        "{CODE}const held = await fetch('WEB/endless?1000');
        console.log(await code('WEB/hello', {{ timeout: 200 }}));
        await held.body.cancel();
        console.log(await code('WEB/hello', {{ timeout: 2000 }}));"
    );
    assert_eq!(run(&web, json!({ "concurrency": 1 }), &held), ["ETIMEDOUT", "reached 200"]);
}

#[test]
fn aborting_reaches_the_request() {
    let web = Web::start();
    let out = run(
        &web,
        json!({}),
        "const began = Date.now();
        const one = new AbortController();
        setTimeout(() => one.abort(), 50);
        await fetch('WEB/slow?5000', { signal: one.signal }).catch((e) => console.log(e.name, e instanceof DOMException));
        await fetch('WEB/slow?5000', { signal: AbortSignal.timeout(50) }).catch((e) => console.log(e.name));
        const two = new AbortController();
        await fetch('WEB/slow?5000', { signal: (setTimeout(() => two.abort('because'), 20), two.signal) }).catch((e) => console.log(e));
        const three = new AbortController(), r = await fetch('WEB/endless?100', { signal: three.signal });
        setTimeout(() => three.abort(), 50);
        await r.text().catch((e) => console.log(e.name));
        console.log(Date.now() - began < 3000);",
    );
    assert_eq!(out, ["AbortError true", "TimeoutError", "because", "AbortError", "true"]);
}

#[test]
fn redirects_are_followed_as_on_the_web() {
    let web = Web::start();
    let other = Web::start();
    let script = "const of = async (status, method, to = '/echo', init = {}) => {
            const r = await fetch(`WEB/redirect?${status},${to}`, { method, headers: { authorization: 'mine', 'x-own': '1', cookie: 'c=1' }, ...init });
            const { method: m, headers: h, body: b } = await r.json();
            return [m, r.redirected, r.url.endsWith('/echo'), h.authorization, h['x-own'], h.cookie, h['content-type'], b].join();
        };
        console.log(await of(302, 'GET'));
        console.log(await of(301, 'POST', '/echo', { body: 'text' }));
        console.log(await of(303, 'PUT', '/echo', { body: 'text' }));
        console.log(await of(307, 'POST', '/echo', { body: 'text' }));
        console.log(await of(308, 'PUT', 'OTHER/echo', { body: 'text' }));
        const manual = await fetch('WEB/redirect?302,/echo', { redirect: 'manual' });
        console.log(manual.status, manual.headers.get('location'), manual.redirected);
        await fetch('WEB/redirect?302,/echo', { redirect: 'error' }).catch((e) => console.log(e.code));
        await fetch('WEB/redirect?302,ftp://x/').catch((e) => console.log(e.code));
        await fetch('WEB/redirect?302,http://u:p@127.0.0.1/').catch((e) => console.log(e.code, e.message.includes('u:p')));";
    let grant = json!({ "origins": [web.url(), other.url()] });
    let out = run(&web, grant, &script.replace("OTHER", &other.url()));
    assert_eq!(
        out,
        [
            "GET,true,true,mine,1,c=1,,",
            "GET,true,true,mine,1,c=1,,",
            "GET,true,true,mine,1,c=1,,",
            "POST,true,true,mine,1,c=1,text/plain;charset=UTF-8,text",
            "PUT,true,true,,1,,text/plain;charset=UTF-8,text",
            "302 /echo false",
            "EREDIRECT",
            "ERR_INVALID_PROTOCOL",
            "ERR_INVALID_URL false",
        ]
    );
}

/// Ways to another place than the one that is granted, or to an address that is not public: nobody is connected to.
#[test]
fn nothing_else_is_reached() {
    let web = Web::start();
    // On another address of this machine, and on the same one at another port.
    let (elsewhere, neighbour) = (Web::at("127.0.0.2"), Web::start());
    let (port, away, near) = (web.port(), elsewhere.port(), neighbour.port());
    let hosts = [
        "127.0.0.2",
        "127.0.2",
        "127.2",
        "2130706434",
        "0x7f000002",
        "0x7f.0.0.2",
        "0177.0.0.2",
        "017700000002",
        "127.0.0.2.",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "[::127.0.0.2]",
        "[64:ff9b::127.0.0.2]",
        "[2002:7f00:2::]",
        "[::1]",
        "[::]",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "%6c%6f%63%61%6c%68%6f%73%74",
        "ⓛocalhost",
        "１２７.0.0.2",
        "127。0。0。2",
        "xn--localhost",
        "169.254.169.254",
        "user@127.0.0.2",
        "user:pass@127.0.0.2",
        "127.0.0.1@127.0.0.2",
        "127.0.0.1:80@127.0.0.2",
        "127.0.0.1#@127.0.0.2",
        "127.0.0.1\\\\@127.0.0.2",
        "127.0.0.2\\\\",
        "127.0.0.1%00.127.0.0.2",
        "127.0.0.1\\r\\nhost: 127.0.0.2",
        "127.0.0.1%0d%0a127.0.0.2",
        "127.0.0.1%2f@127.0.0.2",
    ];
    let urls: Vec<String> = hosts
        .iter()
        .flat_map(|host| {
            [format!("http://{host}:{away}/"), format!("http://{host}:{near}/"), format!("HTTP:\\\\\\\\{host}:{away}/")]
        })
        .collect();
    let urls = serde_json::to_string(&urls).unwrap().replace("\\\\\\\\", "\\\\").replace("\\\\r\\\\n", "\\r\\n");
    let script = format!(
        "const urls = {urls}, said = new Set();
        const code = async (url) => {{
            try {{ return (await fetch(url)).url.startsWith('WEB/') ? 'own' : 'reached elsewhere'; }} catch (e) {{ return e.code ?? e.name; }}
        }};
        for (const url of urls) {{
            for (const one of [await code(url), await code(`WEB/redirect?302,${{encodeURI(url)}}`), await code(`WEB/redirect?307,${{url.replace(/[^!-~]/g, '')}}`)]) {{
                if (one.startsWith('reached')) console.log(url, one);
                said.add(one);
            }}
        }}
        console.log([...said].sort().join());"
    );
    let granted = |origins: serde_json::Value, private: bool| {
        run_granted(&web, &json!({ "origins": origins, "private": private, "timeout_ms": 5000 }), &script)
    };
    // The origin alone is granted.
    let ran = granted(json!([web.url()]), true);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let last = ran.stdout.lines().last().unwrap();
    assert_eq!(last, "ERR_INVALID_URL,NOT_GRANTED,own", "{}", ran.stdout);
    assert_eq!((elsewhere.connections(), neighbour.connections()), (0, 0));
    // All of these places are granted, but the operator allows one address of them only, or none.
    let places = [
        "127.0.0.2",
        "localhost",
        "a.localhost",
        "[::1]",
        "[::]",
        "0.0.0.0",
        "169.254.169.254",
        "[::ffff:127.0.0.2]",
        "[64:ff9b::127.0.0.2]",
        "[2002:7f00:2::]",
        "[::127.0.0.2]",
    ];
    let mut origins: Vec<String> = places.iter().map(|place| format!("http://{place}:{away}")).collect();
    origins.push(web.url());
    for private in [true, false] {
        let ran = granted(json!(origins), private);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let last = ran.stdout.lines().last().unwrap();
        let own = if private { ",own" } else { "" };
        assert_eq!(last, format!("EPRIVATE,ERR_INVALID_URL,NOT_GRANTED{own}"), "{}", ran.stdout);
        assert_eq!((elsewhere.connections(), neighbour.connections()), (0, 0), "private: {private}");
    }
    let ran = run_js(
        &["--module", &format!("fetch={}", json!({ "origins": [web.url()], "private": true }))],
        &format!("{CODE}console.log(await code('http://127.0.0.1:{port}/hello'))"),
    );
    assert_eq!(ran.stdout, "EPRIVATE\n", "the operator allows nothing: {ran:?}");
}

#[test]
fn what_stops_a_script_stops_its_requests() {
    let web = Web::start();
    let grant = json!({ "origins": [web.url()], "private": true });
    let module = format!("fetch={grant}");
    let flags = ["--allow-private-networks", "--wall-ms", "300", "--module", &module];
    let ran = run_js(&flags, &format!("await fetch('{}/slow?10000')", web.url()));
    assert_eq!(ran.status, Some(124), "{ran:?}");
    assert!(ran.elapsed.as_secs() < 8, "{ran:?}");
}
