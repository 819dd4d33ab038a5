//! Events: their order, their numbers, and the cursor.
use serde_json::{Value, json};

use super::session;
use crate::harness::Server;

#[test]
fn order_and_payloads() {
    let server = Server::start();
    let (session, _) = session(&server);
    let input = "console.log('a', 1, { b: 2 }); console.info('i'); console.warn('w'); console.error('e'); console.debug('d'); 'end'";
    let row = server.eval(&session, input);
    let shown: Vec<(Value, Value, Value)> =
        server.events(&row).iter().map(|e| (e["seq"].clone(), e["type"].clone(), e["payload"].clone())).collect();
    assert_eq!(shown[0], (json!(1), json!("input_echo"), json!({ "text": input })));
    let levels: Vec<&Value> = shown[1..6].iter().map(|event| &event.2["level"]).collect();
    assert_eq!(levels, ["log", "info", "warn", "error", "debug"]);
    assert!(shown[1..6].iter().all(|event| event.1 == "console" && event.2["text"].is_string()));
    assert_eq!(shown[6], (json!(7), json!("value"), row["result"].clone()));
    assert_eq!(shown.len(), 7);

    let row = server.eval(&session, "console.log('first'); throw new Error('then')");
    let events = server.events(&row);
    let kinds: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["input_echo", "console", "exception"]);
    assert_eq!(events[2]["payload"], row["error"], "the exception of the row");
    let sequence: Vec<&Value> = events.iter().map(|event| &event["seq"]).collect();
    assert_eq!(sequence, [1, 2, 3]);
    let times: Vec<&str> = events.iter().map(|event| event["ts"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && row["started_at"].as_str().unwrap() <= times[0], "{times:?}");
}

#[test]
fn the_cursor_is_exclusive() {
    let server = Server::start();
    let (session, _) = session(&server);
    let row = server.eval(&session, "for (let i = 0; i < 8; i++) console.log(i)");
    let id = row["id"].as_str().unwrap();
    let after = |query: &str| -> Vec<u64> {
        let events = server.get(&format!("/executions/{id}/events{query}")).expect(200).json;
        events.as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    let all: Vec<u64> = (1..=10).collect();
    for query in ["", "?after_seq=0", "?after_seq=", "?after_seq=00", "?other=1"] {
        assert_eq!(after(query), all, "{query}");
    }
    for seq in 1..=10 {
        assert_eq!(after(&format!("?after_seq={seq}")), all[seq..], "{seq}");
    }
    for beyond in ["11", "99999999999", "9223372036854775807", "18446744073709551615"] {
        assert_eq!(after(&format!("?after_seq={beyond}")), Vec::<u64>::new(), "{beyond}");
    }
    assert_eq!(after("?after_seq=2&limit=3"), [3, 4, 5]);
    for bad in ["after_seq=-1", "after_seq=x", "after_seq=1.5", "after_seq=1e3", "limit=0", "limit=-1", "limit=x"] {
        server.get(&format!("/executions/{id}/events?{bad}")).expect_error(400, "VALIDATION_ERROR");
    }
}

/// All of them, also where they take several pages of the store, in one array.
#[test]
fn tens_of_thousands() {
    let server = Server::start();
    let limits =
        json!({ "limits": { "max_events": 40_000, "max_output_kb": 10_000, "cpu_ms": 20_000, "wall_ms": 30_000 } });
    let made = server.post("/templates", json!({ "name": "t", "settings": limits })).expect(201).json;
    let session = server.session(made["id"].as_str().unwrap());
    let row = server.eval(&session, "for (let i = 0; i < 30000; i++) console.log('line ' + i)");
    assert_eq!(row["status"], "ok", "{row}");
    let events = server.events(&row);
    assert_eq!(events.len(), 30_002);
    assert!(events.iter().zip(1..).all(|(event, seq)| event["seq"] == json!(seq)));
    assert_eq!(events[29_000]["payload"]["text"], "line 28999");
    let id = row["id"].as_str().unwrap();
    let rest = server.get(&format!("/executions/{id}/events?after_seq=15000&limit=12000")).expect(200).json;
    let rest = rest.as_array().unwrap();
    assert_eq!((rest.len(), &rest[0]["seq"], &rest[11_999]["seq"]), (12_000, &json!(15_001), &json!(27_000)));
}
