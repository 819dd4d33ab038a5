//! The API's own description: OpenAPI 3.1, made from the types that handlers take and answer.
use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use model::ErrorCode;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::operations::OPERATIONS;
use super::{Answer, error};

/// One operation, as [`OPERATIONS`] lists them.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// Below `/api/v1`.
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// Names in the query and in headers, each with what it means.
    pub(super) parameters: &'static [Parameter],
    pub(super) request: Body,
    pub(super) answers: &'static [(u16, Body)],
    /// Beside those that every operation of its shape can answer.
    pub(super) errors: &'static [ErrorCode],
}

/// A parameter that is not part of the path.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// `query` or `header`.
    pub(super) place: &'static str,
    pub(super) required: bool,
    pub(super) description: &'static str,
    /// A JSON Schema.
    pub(super) schema: &'static str,
}

/// What a request or an answer carries.
#[derive(Clone, Copy)]
pub(super) enum Body {
    Nothing,
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Of another content type.
    Other(&'static str),
    /// JSON, or a stream of events for who asks for that.
    JsonOrEvents(fn(&mut SchemaGenerator) -> Schema),
}

/// The schema of a type, by reference.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const ABOUT: &str = "A template says what a runtime may do. A session is a live heap made from it. An execution is one run in a \
    session, with typed events. Language built-ins (JSON, Math, Date, ...) are always there and never configurable; native \
    modules are there only when the template lists them, and that list is the only list of grants.";
/// The parts of the API, in the order in which a reader meets them.
const TAGS: [(&str, &str); 6] = [
    ("templates", "What a session may do: modules with their grants, libraries, startup files, settings"),
    ("sessions", "Live heaps, each made from a template"),
    ("executions", "Runs of JavaScript, and the events they leave"),
    ("modules", "Native modules that templates may list"),
    ("libraries", "JavaScript that is there before a session starts"),
    ("system", "The server itself"),
];
const JSON: &str = "application/json";

/// `GET /openapi.json`.
pub(super) async fn json_document() -> Answer {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| serde_json::to_string(&document()).unwrap_or_default());
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, JSON)], text.as_str()).into_response())
}

/// `GET /docs`: the same for people. The page is whole in itself and loads nothing but the document.
pub(super) async fn page() -> Answer {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, include_str!("docs.html")).into_response())
}

/// The whole document.
fn document() -> Value {
    let generator = |settings: SchemaSettings| {
        settings.with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator()
    };
    // Types differ in what they take and what they give: an optional field that is always answered, for one.
    let mut taken = generator(SchemaSettings::draft2020_12().for_deserialize());
    let mut given = generator(SchemaSettings::draft2020_12().for_serialize());
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for operation in OPERATIONS {
        let described = operation.describe(&mut taken, &mut given);
        paths.entry(operation.path.to_owned()).or_default().insert(operation.method.to_owned(), described);
    }
    let error = given.subschema_for::<error::ErrorBody<'_>>();
    let mut schemas = taken.take_definitions(true);
    schemas.extend(given.take_definitions(true));
    debug_assert!(schemas.contains_key("Error"), "{error:?}");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "vm-system",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Sandboxed JavaScript: templates, sessions, executions",
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/api/v1" }],
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": { "schemas": schemas }
    })
}

impl Operation {
    fn describe(&self, taken: &mut SchemaGenerator, given: &mut SchemaGenerator) -> Value {
        let mut responses: BTreeMap<String, Value> = BTreeMap::new();
        for (status, body) in self.answers {
            responses.insert(status.to_string(), body.response(*status, given));
        }
        for (status, codes) in self.codes() {
            let description = codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", ");
            let content = json!({ JSON: { "schema": { "$ref": "#/components/schemas/Error" } } });
            responses.insert(status.to_string(), json!({ "description": description, "content": content }));
        }
        for response in responses.values_mut() {
            response["headers"] = json!({ "X-Request-Id": { "description": "Of this request, for the server's log", "required": true,
                    "schema": { "type": "string", "format": "uuid" } } });
        }
        let mut described = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [self.tag()],
            "parameters": self.parameters(),
            "responses": responses,
        });
        if let Some(content) = self.request.content(taken) {
            described["requestBody"] = json!({ "required": true, "content": content });
        }
        described
    }

    fn tag(&self) -> &'static str {
        match self.path.split('/').nth(1).unwrap_or_default() {
            "run" => "executions",
            tag if TAGS.iter().any(|(known, _)| *known == tag) => tag,
            _ => "system",
        }
    }

    fn parameters(&self) -> Vec<Value> {
        let names = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = names.map(|name| {
            let schema = if name.ends_with("_id") {
                json!({ "type": "string", "format": "uuid" })
            } else {
                json!({ "type": "string", "minLength": 1 })
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        });
        let others = self.parameters.iter().map(|parameter| {
            let Parameter { name, place, required, description, schema } = parameter;
            let schema: Value = serde_json::from_str(schema).unwrap_or_default();
            json!({ "name": name, "in": place, "required": required, "description": description, "schema": schema })
        });
        in_path.chain(others).collect()
    }

    /// Every error that it can answer, by status.
    fn codes(&self) -> BTreeMap<u16, Vec<ErrorCode>> {
        let mut codes: Vec<ErrorCode> = self.errors.to_vec();
        let takes_values = self.path.contains('{') || !self.parameters.is_empty();
        if takes_values || matches!(self.request, Body::Json(_)) {
            codes.push(ErrorCode::ValidationError);
        }
        if matches!(self.request, Body::Json(_)) {
            codes.push(ErrorCode::InvalidRequest);
        }
        if !matches!(self.request, Body::Nothing) {
            codes.extend([ErrorCode::BodyTooLarge, ErrorCode::RequestTimeout]);
        }
        if self.parameters.iter().any(|parameter| parameter.name == "Idempotency-Key") {
            codes.push(ErrorCode::IdempotencyConflict);
        }
        codes.extend([ErrorCode::OriginNotAllowed, ErrorCode::Internal]);
        let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
        // In the order of the documentation, each once.
        for code in ErrorCode::ALL.iter().filter(|code| codes.contains(code)) {
            by_status.entry(error::status(*code).as_u16()).or_default().push(*code);
        }
        by_status
    }
}

impl Body {
    fn content(self, generator: &mut SchemaGenerator) -> Option<Value> {
        Some(match self {
            Body::Nothing => return None,
            Body::Json(schema) => json!({ JSON: { "schema": schema(generator) } }),
            Body::Other(kind) => json!({ kind: { "schema": { "type": "string" } } }),
            Body::JsonOrEvents(schema) => json!({
                JSON: { "schema": schema(generator) },
                "text/event-stream": { "schema": { "type": "string" } }
            }),
        })
    }

    fn response(self, status: u16, generator: &mut SchemaGenerator) -> Value {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let mut response = json!({ "description": reason.unwrap_or_default() });
        if let Some(content) = self.content(generator) {
            response["content"] = content;
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a deliberate change: `UPDATE_GOLDEN=1 cargo test -p server`.
    #[test]
    fn the_document_is_the_golden_one() {
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/openapi.golden.json");
        let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&golden).unwrap(), "the API has changed");
    }

    /// The routes, as the table in `mod.rs` has them, and the operations are the same.
    #[test]
    fn every_route_is_described_and_nothing_else() {
        let source = include_str!("mod.rs");
        let mut routes = Vec::new();
        for line in source.split(".route(\"").skip(1) {
            let (path, rest) = line.split_once('"').unwrap();
            let handlers = rest.split("\n").next().unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(".{method}(")) {
                    routes.push((path, method));
                }
            }
        }
        let mut described: Vec<_> = OPERATIONS.iter().map(|o| (o.path, o.method)).collect();
        routes.sort_unstable();
        described.sort_unstable();
        assert!(routes.len() > 30, "{routes:?}");
        assert_eq!(routes, described);
    }

    #[test]
    fn ids_of_operations_are_unique() {
        let mut ids: Vec<_> = OPERATIONS.iter().map(|operation| operation.id).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }
}
