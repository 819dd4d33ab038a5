//! What this server adds to the contract.
mod cancel;
mod grants;
mod idempotency;
mod lists;
mod once;
mod places;
mod queue;
mod settings;
mod stream;
mod templates;

use serde_json::{Value, json};

use crate::harness::Server;

/// A session whose scripts may compute for a minute; tests cancel what they began.
pub fn patient(server: &Server) -> String {
    let limits = json!({ "limits": { "cpu_ms": 60_000, "wall_ms": 60_000 } });
    let template = server.post("/templates", json!({ "name": "patient", "settings": limits })).expect(201).json;
    server.session(id(&template))
}

/// The id in an object.
pub fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

/// Asks an execution to stop.
pub fn cancel(server: &Server, execution: &Value) -> Value {
    server.post(&format!("/executions/{}/cancel", id(execution)), json!({})).expect(200).json
}
