//! `/secrets`: values go in and never come out.
use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::{Json, PathName, Tenant};
use super::{Answer, ok};
use crate::app::App;
use crate::fault::Fault;

pub(super) async fn list(State(app): State<Arc<App>>, Tenant(tenant): Tenant) -> Answer {
    ok(&app.secrets.list(tenant).await?)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PutSecret")]
pub(super) struct Put {
    /// The value; no answer ever has it.
    #[schemars(required, length(min = 1, max = 65536), extend("writeOnly" = true))]
    value: Option<String>,
    /// Where `fetch` may send it, such as https://api.example.com. None: nowhere.
    #[serde(default)]
    #[schemars(length(max = 100))]
    origins: Vec<String>,
}

pub(super) async fn put(
    State(app): State<Arc<App>>,
    Tenant(tenant): Tenant,
    PathName(name): PathName,
    Json(Put { value, origins }): Json<Put>,
) -> Answer {
    let value = value.ok_or_else(|| Fault::validation("value is required"))?;
    ok(&app.secrets.put(tenant, name, &value, &origins).await?)
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SecretRemoved")]
pub(super) struct Removed {
    status: &'static str,
    name: String,
}

pub(super) async fn remove(State(app): State<Arc<App>>, Tenant(tenant): Tenant, PathName(name): PathName) -> Answer {
    app.secrets.remove(tenant, name.clone()).await?;
    ok(&Removed { status: "ok", name })
}
