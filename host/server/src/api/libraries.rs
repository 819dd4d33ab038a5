//! `/libraries`: the files that templates' libraries come from.
use std::io::ErrorKind;
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use model::{ErrorCode, LibraryName};
use schemars::JsonSchema;
use serde::Serialize;

use super::extract::{PathName, Text};
use super::{Answer, ok};
use crate::app::App;
use crate::fault::Fault;
use crate::libraries::{LIBRARIES_BYTES_MAX, LIBRARIES_MAX, LIBRARY_BYTES_MAX, Libraries, Room};

/// The `{name}` of the path: one that can't lead out of the cache.
pub(super) struct PathLibrary(LibraryName);

impl<S: Send + Sync> FromRequestParts<S> for PathLibrary {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let PathName(raw) = PathName::from_request_parts(parts, state).await?;
        LibraryName::parse(&raw).map(PathLibrary).map_err(|error| Fault::validation(error.to_string()))
    }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Answer {
    ok(&blocking(&app, |libraries| libraries.list()).await?)
}

pub(super) async fn get(State(app): State<Arc<App>>, PathLibrary(name): PathLibrary) -> Answer {
    let wanted = name.clone();
    let text = blocking(&app, move |libraries| libraries.read(&wanted)).await?;
    let missing = || Fault::new(ErrorCode::NotFound, "Library not found").with("library", name);
    let text = text.ok_or_else(missing)?;
    // Not to be sniffed: a page of this origin must not become what somebody's library says it is.
    Ok((
        [(CONTENT_TYPE, "text/javascript; charset=utf-8")],
        [("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin")],
        text,
    )
        .into_response())
}

pub(super) async fn put(
    State(app): State<Arc<App>>,
    PathLibrary(name): PathLibrary,
    Text(text): Text<LIBRARY_BYTES_MAX>,
) -> Answer {
    let (room, wanted) = (Room { files: LIBRARIES_MAX, bytes: LIBRARIES_BYTES_MAX }, name.clone());
    let put = blocking(&app, move |libraries| libraries.put_within(room, &wanted, &text)).await?;
    ok(&put.ok_or_else(|| {
        let message = format!(
            "The library cache takes no more than {LIBRARIES_MAX} files and {LIBRARIES_BYTES_MAX} bytes: DELETE what is not used"
        );
        Fault::validation(message).with("library", name)
    })?)
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LibraryRemoved")]
pub(super) struct Removed {
    status: &'static str,
    name: LibraryName,
}

pub(super) async fn remove(State(app): State<Arc<App>>, PathLibrary(name): PathLibrary) -> Answer {
    let wanted = name.clone();
    blocking(&app, move |libraries| libraries.remove(&wanted)).await?;
    ok(&Removed { status: "ok", name })
}

async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Libraries) -> std::io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let libraries = app.libraries.clone();
    let done = tokio::task::spawn_blocking(move || work(&libraries)).await;
    done.map_err(Fault::internal)?.map_err(|error| match error.kind() {
        // What somebody put into the directory by hand; the text names the library and no path.
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::FileTooLarge | ErrorKind::PermissionDenied => {
            Fault::new(ErrorCode::LibraryFailed, error.to_string())
        }
        _ => Fault::internal(error),
    })
}
