//! What handlers take from a request. Order matters: a bad id in the path is answered before the body is read.
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use http_body_util::BodyExt;
use model::{
    CapabilityId, CheckpointId, ErrorCode, ExecutionId, IdError, SessionId, StartupFileId, TemplateId, TenantId,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::config::Config;
use crate::fault::Fault;

/// How much, and for how long, of a body that is too large is taken off the wire.
const LINGER_BYTES: usize = 64 << 20;
const LINGER: Duration = Duration::from_secs(5);

/// Whose rows this request sees. Until tenants exist there is one.
pub(super) struct Tenant(pub TenantId);

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = Fault;
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        tracing::Span::current().record("tenant", tracing::field::display(TenantId::DEFAULT));
        Ok(Tenant(TenantId::DEFAULT))
    }
}

/// An id that is called so in paths, bodies and messages.
pub(super) trait NamedId: Sized + fmt::Display {
    const NAME: &'static str;
    fn from_text(raw: &str) -> Result<Self, IdError>;
}

macro_rules! named_ids {
    ($($id:ident = $name:literal,)*) => { $(
        impl NamedId for $id {
            const NAME: &'static str = $name;
            fn from_text(raw: &str) -> Result<Self, IdError> {
                $id::parse(raw)
            }
        }
    )* };
}

named_ids! {
    TemplateId = "template_id",
    SessionId = "session_id",
    ExecutionId = "execution_id",
    StartupFileId = "startup_file_id",
    CapabilityId = "capability_id",
    CheckpointId = "checkpoint_id",
}

/// An id of a body or query.
pub(super) fn id<T: NamedId>(raw: &str) -> Result<T, Fault> {
    T::from_text(raw).map_err(|error| Fault::validation(format!("{} {error}", T::NAME)))
}

/// The same, called otherwise.
pub(super) fn id_called<T: NamedId>(raw: &str, name: &str) -> Result<T, Fault> {
    T::from_text(raw).map_err(|error| Fault::validation(format!("{name} {error}")))
}

/// The id of the path.
pub(super) struct PathId<T>(pub T);

impl<T: NamedId, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let id = id::<T>(&path_param(parts, state, T::NAME).await?)?;
        // What the request's span has no place for is not recorded.
        tracing::Span::current().record(T::NAME.trim_end_matches("_id"), tracing::field::display(&id));
        Ok(PathId(id))
    }
}

/// The `{name}` of the path, percent-decoded.
pub(super) struct PathName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        path_param(parts, state, "name").await.map(PathName)
    }
}

async fn path_param<S: Send + Sync>(parts: &mut Parts, state: &S, name: &'static str) -> Result<String, Fault> {
    let params = RawPathParams::from_request_parts(parts, state).await;
    let params = params.map_err(|_| Fault::validation(format!("{name} must be valid UTF-8")))?;
    let found = params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| Fault::internal(format!("the route has no {{{name}}}")))
}

/// The query. Of a name that is there twice the first counts; unknown names are ignored.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        pairs.map(|pairs| Query(pairs.0)).map_err(|error| Fault::validation(error.body_text()))
    }
}

/// The body as strict JSON: unknown fields are refused by the types themselves. Its content type is nobody's concern.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Fault;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Fault> {
        let bytes = body(request, app.config.body_bytes_max, &app.body_room).await?;
        let parsed = serde_json::from_slice::<Object<T>>(&bytes);
        parsed.map(|object| Json(object.0)).map_err(|error| Fault::new(ErrorCode::InvalidRequest, error.to_string()))
    }
}

/// A JSON object of a known shape. Types alone would be taken from a list of their fields as well; the contract knows
/// objects only.
#[derive(Clone, Debug, Default)]
pub(super) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Object<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The body as it is: UTF-8 text of at most `MAX` bytes, whatever its type is said to be.
pub(super) struct Text<const MAX: usize>(pub String);

impl<const MAX: usize> FromRequest<Arc<App>> for Text<MAX> {
    type Rejection = Fault;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Fault> {
        let text = String::from_utf8(body(request, MAX, &app.body_room).await?);
        text.map(Text).map_err(|_| Fault::new(ErrorCode::InvalidRequest, "The request body must be UTF-8 text"))
    }
}

/// A request's whole body, at most `max` bytes of it, within the time that a client has.
///
/// Large bodies that arrive at once share the room for them; who finds none waits, within the same time.
pub(super) async fn body(request: Request, max: usize, room: &Semaphore) -> Result<Vec<u8>, Fault> {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let late = |_| {
        let message = format!("The request's body did not arrive within {} s", Config::REQUEST_TIME.as_secs());
        Err(Fault::new(ErrorCode::RequestTimeout, message))
    };
    let expected = declared.map_or(max, |declared: u64| usize::try_from(declared).unwrap_or(max).min(max));
    let whole = async {
        let _room = match u32::try_from(expected / 1_024) {
            Ok(kib) if kib > SMALL_BODY_KIB => Some(room.acquire_many(kib).await.map_err(Fault::internal)?),
            _ => None,
        };
        read(request.into_body(), declared, max).await
    };
    tokio::time::timeout(Config::REQUEST_TIME, whole).await.unwrap_or_else(late)
}

/// A body of which so much is expected has its room anyway, KiB.
const SMALL_BODY_KIB: u32 = 16;

async fn read(mut body: Body, declared: Option<u64>, max: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut fits = declared.is_none_or(|declared: u64| declared <= max as u64);
    while fits && let Some(frame) = body.frame().await {
        let broken = |_| Fault::new(ErrorCode::InvalidRequest, "The request body broke off");
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            fits = bytes.len() + data.len() <= max;
            if fits {
                bytes.extend_from_slice(&data);
            }
        }
    }
    if fits {
        return Ok(bytes);
    }
    let _ = tokio::time::timeout(LINGER, discard(body)).await;
    Err(Fault::new(ErrorCode::BodyTooLarge, format!("The request body is larger than {max} bytes")))
}

/// For a fault that is answered without a look at the body, which may be large: it is taken off the wire first.
pub(super) async fn unread(request: Request, fault: Fault) -> Fault {
    let _ = tokio::time::timeout(LINGER, discard(request.into_body())).await;
    fault
}

/// Most clients read no answer before they have sent everything, and get a reset connection in place of one that came
/// early: what they send is taken off the wire for a while, and thrown away.
async fn discard(mut body: Body) {
    let mut left = LINGER_BYTES;
    while left > 0
        && let Some(Ok(frame)) = body.frame().await
    {
        left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
    }
}

/// A field that must be there and not blank.
pub(super) fn required(value: Option<String>, name: &str) -> Result<String, Fault> {
    let missing = || Fault::validation(format!("{name} is required"));
    value.filter(|value| !value.trim().is_empty()).ok_or_else(missing)
}

/// Longest name of anything, bytes.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// Longest label and longest path of a session, bytes.
pub(super) const LABEL_BYTES_MAX: usize = 1_024;
pub(super) const PATH_BYTES_MAX: usize = 4_096;
/// Longest JSON of a grant or a capability, bytes.
pub(super) const CONFIG_BYTES_MAX: usize = 16 << 10;

/// A field that must be there, not blank, and no longer than `max` bytes.
pub(super) fn required_within(value: Option<String>, name: &str, max: usize) -> Result<String, Fault> {
    let value = required(value, name)?;
    if value.len() > max {
        return Err(Fault::validation(format!("{name} is longer than {max} bytes")));
    }
    Ok(value)
}

/// JSON that is kept as it is: an object, `{}` when it is absent or null.
pub(super) fn config(value: Option<Box<RawValue>>, name: &str) -> Result<Box<RawValue>, Fault> {
    let Some(json) = object(value, name)? else {
        return RawValue::from_string("{}".to_owned()).map_err(Fault::internal);
    };
    if json.get().len() > CONFIG_BYTES_MAX {
        return Err(Fault::validation(format!("{name} is longer than {CONFIG_BYTES_MAX} bytes")));
    }
    Ok(json)
}

/// A JSON object, or none when it is absent or null.
pub(super) fn object(value: Option<Box<RawValue>>, name: &str) -> Result<Option<Box<RawValue>>, Fault> {
    match value {
        Some(json) if json.get().starts_with('{') => {
            RawValue::from_string(compact(json.get())).map(Some).map_err(Fault::internal)
        }
        Some(json) if json.get() != "null" => Err(Fault::validation(format!("{name} must be a JSON object"))),
        _ => Ok(None),
    }
}

/// Valid JSON without the blanks between its parts, and otherwise as it is: what is answered is one line, whatever was
/// sent.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    json.chars()
        .filter(|c| {
            if in_string {
                (in_string, escaped) = (escaped || *c != '"', !escaped && *c == '\\');
                return true;
            }
            in_string = *c == '"';
            !c.is_ascii_whitespace()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blanks_go_and_texts_stay() {
        let json = "{ \"a b\" : [ 1.50 , \"\\\" \\\\\" , { } ] ,\r\n\t\"c\":null }";
        assert_eq!(compact(json), "{\"a b\":[1.50,\"\\\" \\\\\",{}],\"c\":null}");
    }

    proptest! {
        #[test]
        fn a_compact_text_means_the_same(text in "\\PC{0,20}", number: i32) {
            let value = serde_json::json!({ text.clone(): [text, number, { "x": null }] });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty), value.to_string());
        }
    }
}
