//! The operations of the API, for its OpenAPI document. A test holds this list to the routes.
use model::ErrorCode::{
    AlreadyExists, CheckpointNotFound, EngineUnsupported, ExecutionNotFound, ExportDisabled, FileNotFound, ImageGone,
    ImportNotAllowed, InvalidPath, InvalidRequest, LibraryFailed, LibraryNotFound, MigrateFailed, ModuleNotAllowed,
    NotFound, OutputLimitExceeded, SessionBusy, SessionDamaged, SessionLimit, SessionNotDurable, SessionNotFound,
    SessionNotReady, SessionPinned, SnapshotRefused, StartupFailed, StartupModeUnsupported, TemplateInactive,
    TemplateNotFound, WorktreeNotFound,
};
use model::{
    Capability, CheckpointRow, ErrorCode, Event, Execution, Grant, LibraryName, ModuleName, Session, StartupFile,
    Template,
};

use crate::libraries::LibraryFile;
use crate::secrets::SecretFacts;

use super::openapi::{Body, Operation, Parameter, schema};
use super::{executions, heaps, libraries, modules, secrets, sessions, system, template_lists as lists, templates};

const fn query(name: &'static str, description: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, place: "query", required: false, description, schema }
}

const fn header(name: &'static str, description: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, place: "header", required: false, description, schema }
}

const LIMIT: Parameter = query("limit", "Rows at most", r#"{"type":"integer","minimum":1}"#);
const ONCE: Parameter = header(
    "Idempotency-Key",
    "A name of the client's own: sent twice, the request is done once and answered twice",
    r#"{"type":"string","minLength":1,"maxLength":255,"pattern":"^[!-~]+$"}"#,
);
const PREFER: Parameter = header(
    "Prefer",
    "`respond-async`: 202 at once instead of 201 at the end",
    r#"{"type":"string","pattern":"^[ -~]*$"}"#,
);

/// What can keep a session from starting.
const STARTING: [ErrorCode; 9] = [
    TemplateNotFound,
    TemplateInactive,
    InvalidPath,
    WorktreeNotFound,
    ModuleNotAllowed,
    LibraryNotFound,
    LibraryFailed,
    StartupFailed,
    SessionLimit,
];

/// The defaults of a row of [`OPERATIONS`].
const fn op(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation { method, path, id, summary, parameters: &[], request: Body::Nothing, answers: &[], errors: &[] }
}

macro_rules! json {
    ($type:ty) => {
        Body::Json(schema::<$type>)
    };
}

/// A row an operation.
#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    Operation { answers: &[(200, json!(system::Health))],
        ..op("get", "/health", "health", "Is the server up") },
    Operation { answers: &[(200, json!(system::Summary))],
        ..op("get", "/runtime/summary", "runtimeSummary", "Sessions that take executions") },
    Operation { answers: &[(200, json!(Vec<crate::operate::ImageUse>))],
        ..op("get", "/ops/images", "listImages", "The images on the disk and those that sessions need, of all tenants") },
    Operation { answers: &[(200, json!(crate::operate::Durable))],
        ..op("get", "/ops/durability", "durabilityFigures", "How much of the sessions is on the disk, of all tenants") },
    Operation { answers: &[(200, Body::Other("application/json"))],
        ..op("get", "/openapi.json", "openapi", "This document") },
    Operation { answers: &[(200, Body::Other("text/html"))],
        ..op("get", "/docs", "docs", "This document, as a page") },

    Operation { answers: &[(200, json!(Vec<modules::ModuleObject>))],
        ..op("get", "/modules", "listModules", "The native modules that templates may list") },
    Operation { answers: &[(200, json!(modules::ModuleObject))], errors: &[NotFound],
        ..op("get", "/modules/{name}", "getModule", "A native module: interface, functions, types, grant, limits") },
    Operation { answers: &[(200, Body::Other("text/plain"))], errors: &[NotFound],
        ..op("get", "/modules/{name}/types", "getModuleTypes", "A module's TypeScript declarations, a `.d.ts` file") },

    Operation { answers: &[(200, json!(Vec<LibraryFile>))], errors: &[LibraryFailed],
        ..op("get", "/libraries", "listLibraries", "The libraries that are installed, by name") },
    Operation { answers: &[(200, Body::Other("text/javascript"))], errors: &[NotFound, LibraryFailed],
        ..op("get", "/libraries/{name}", "getLibrary", "The text of a library") },
    Operation { request: Body::Other("text/javascript"), answers: &[(200, json!(LibraryFile))],
        errors: &[InvalidRequest, LibraryFailed],
        ..op("put", "/libraries/{name}", "putLibrary", "Install or replace a library: the body is its JavaScript") },
    Operation { answers: &[(200, json!(libraries::Removed))], errors: &[LibraryFailed],
        ..op("delete", "/libraries/{name}", "deleteLibrary", "Remove a library; sessions that live keep it") },

    Operation { answers: &[(200, json!(Vec<SecretFacts>))],
        ..op("get", "/secrets", "listSecrets", "Secrets by name, without their values") },
    Operation { request: json!(secrets::Put), answers: &[(200, json!(SecretFacts))],
        ..op("put", "/secrets/{name}", "putSecret", "Create or replace a secret; its value never comes out again") },
    Operation { answers: &[(200, json!(secrets::Removed))],
        ..op("delete", "/secrets/{name}", "deleteSecret", "Remove a secret") },

    Operation { parameters: &[LIMIT], answers: &[(200, json!(Vec<Template>))],
        ..op("get", "/templates", "listTemplates", "Templates, newest first") },
    Operation { parameters: &[ONCE], request: json!(templates::Create), answers: &[(201, json!(Template))],
        errors: &[AlreadyExists, EngineUnsupported, ModuleNotAllowed, InvalidPath, StartupModeUnsupported],
        ..op("post", "/templates", "createTemplate", "Make a template, whole; also imports what export answered") },
    Operation { answers: &[(200, json!(templates::Whole))], errors: &[TemplateNotFound],
        ..op("get", "/templates/{template_id}", "getTemplate", "A template with all that belongs to it") },
    Operation { request: json!(templates::Change), answers: &[(200, json!(Template))],
        errors: &[TemplateNotFound, AlreadyExists],
        ..op("patch", "/templates/{template_id}", "changeTemplate", "Rename, activate or deactivate a template") },
    Operation { answers: &[(200, json!(templates::Deleted))],
        ..op("delete", "/templates/{template_id}", "deleteTemplate", "Remove a template; its sessions live on") },
    Operation { answers: &[(200, json!(templates::SettingsObject))], errors: &[TemplateNotFound],
        ..op("get", "/templates/{template_id}/settings", "getSettings", "Limits, resolver and runtime switches") },
    Operation { request: json!(templates::SettingsWish), answers: &[(200, json!(templates::SettingsObject))],
        errors: &[TemplateNotFound],
        ..op("patch", "/templates/{template_id}/settings", "changeSettings", "Change some settings, leave the others") },
    Operation { answers: &[(200, json!(templates::Document))], errors: &[TemplateNotFound],
        ..op("get", "/templates/{template_id}/export", "exportTemplate", "The template as one document") },
    Operation { answers: &[(200, Body::Other("text/plain"))], errors: &[TemplateNotFound, SessionLimit],
        ..op("get", "/templates/{template_id}/types", "getTypes", "What its sessions see, as one `.d.ts` file") },
    Operation { parameters: &[ONCE], request: json!(templates::Clone), answers: &[(201, json!(Template))],
        errors: &[TemplateNotFound, AlreadyExists],
        ..op("post", "/templates/{template_id}/clone", "cloneTemplate", "Copy a template under another name") },

    Operation { parameters: &[query("detail", "`true`: entries with their grants instead of names", r#"{"type":"boolean"}"#)],
        answers: &[(200, json!(Listed))], errors: &[TemplateNotFound],
        ..op("get", "/templates/{template_id}/modules", "listGrants", "The modules that sessions may require: the only grants") },
    Operation { request: json!(lists::NewModule), answers: &[(201, json!(lists::NameAdded))],
        errors: &[TemplateNotFound, ModuleNotAllowed],
        ..op("post", "/templates/{template_id}/modules", "addModule", "List a module") },
    Operation { request: json!(lists::SetGrant), answers: &[(200, json!(lists::GrantSet))],
        errors: &[TemplateNotFound, ModuleNotAllowed],
        ..op("put", "/templates/{template_id}/modules/{name}", "setGrant", "Give a listed module another grant") },
    Operation { answers: &[(200, json!(lists::NameRemoved))],
        ..op("delete", "/templates/{template_id}/modules/{name}", "removeModule", "Take a module off the list") },
    Operation { answers: &[(200, json!(Vec<LibraryName>))], errors: &[TemplateNotFound],
        ..op("get", "/templates/{template_id}/libraries", "listTemplateLibraries", "The libraries that sessions begin with") },
    Operation { request: json!(lists::AddLibrary), answers: &[(201, json!(lists::NameAdded))], errors: &[TemplateNotFound],
        ..op("post", "/templates/{template_id}/libraries", "addLibrary", "Add a library") },
    Operation { answers: &[(200, json!(lists::NameRemoved))],
        ..op("delete", "/templates/{template_id}/libraries/{name}", "removeLibrary", "Take a library off the list") },
    Operation { answers: &[(200, json!(Vec<StartupFile>))], errors: &[TemplateNotFound],
        ..op("get", "/templates/{template_id}/startup-files", "listStartupFiles", "Files that run when a session starts") },
    Operation { request: json!(lists::NewStartupFile), answers: &[(201, json!(StartupFile))],
        errors: &[TemplateNotFound, AlreadyExists, InvalidPath, StartupModeUnsupported],
        ..op("post", "/templates/{template_id}/startup-files", "addStartupFile", "Add a startup file") },
    Operation { answers: &[(200, json!(lists::IdRemoved<model::StartupFileId>))],
        ..op("delete", "/templates/{template_id}/startup-files/{startup_file_id}", "removeStartupFile", "Remove a startup file") },
    Operation { answers: &[(200, json!(Vec<Capability>))], errors: &[TemplateNotFound],
        ..op("get", "/templates/{template_id}/capabilities", "listCapabilities", "Labels of old clients; they grant nothing") },
    Operation { request: json!(lists::NewCapability), answers: &[(201, json!(Capability))],
        errors: &[TemplateNotFound, AlreadyExists],
        ..op("post", "/templates/{template_id}/capabilities", "addCapability", "Add a label; it grants nothing") },
    Operation { answers: &[(200, json!(lists::IdRemoved<model::CapabilityId>))],
        ..op("delete", "/templates/{template_id}/capabilities/{capability_id}", "removeCapability", "Remove a label") },

    Operation { parameters: &[
            query("status", "Only sessions of this status; an unknown one has none", r#"{"type":"string"}"#),
            query("before", "Only sessions older than this one", r#"{"type":"string","format":"uuid"}"#),
            LIMIT,
        ], answers: &[(200, json!(Vec<Session>))], errors: &[SessionNotFound],
        ..op("get", "/sessions", "listSessions", "Sessions, newest first") },
    Operation { parameters: &[ONCE], request: json!(sessions::Create), answers: &[(201, json!(Session))], errors: &STARTING,
        ..op("post", "/sessions", "createSession", "Start a session: a live heap made from a template") },
    Operation { answers: &[(200, json!(Session))], errors: &[SessionNotFound],
        ..op("get", "/sessions/{session_id}", "getSession", "A session, live or not") },
    Operation { answers: &[(200, json!(Session))], errors: &[SessionNotFound],
        ..op("delete", "/sessions/{session_id}", "deleteSession", "Close a session; its row stays, its heap does not") },
    Operation { answers: &[(200, json!(Session))], errors: &[SessionNotFound],
        ..op("post", "/sessions/{session_id}/close", "closeSession", "Close a session; its row stays, its heap does not") },
    Operation { answers: &[(200, json!(Session))],
        errors: &[SessionNotFound, SessionNotReady, SessionBusy, SessionPinned, SessionNotDurable],
        ..op("post", "/sessions/{session_id}/hibernate", "hibernateSession", "Have a session leave memory; its next use brings it back") },
    Operation { parameters: &[ONCE], request: json!(heaps::Fork), answers: &[(201, json!(Vec<Session>))],
        errors: &[SessionNotFound, SessionNotReady, SessionBusy, SessionNotDurable, SessionDamaged, CheckpointNotFound, ImageGone, SessionLimit],
        ..op("post", "/sessions/{session_id}/fork", "forkSession", "Make sessions that go on from this one's heap, each for itself") },
    Operation { parameters: &[
            query("before", "Only checkpoints older than this one", r#"{"type":"string","format":"uuid"}"#),
            LIMIT,
        ], answers: &[(200, json!(Vec<CheckpointRow>))], errors: &[SessionNotFound, CheckpointNotFound],
        ..op("get", "/sessions/{session_id}/checkpoints", "listCheckpoints", "The heaps that a session can go back to, newest first") },
    Operation { answers: &[(201, json!(heaps::Stored))],
        errors: &[SessionNotFound, SessionNotReady, SessionBusy, SessionNotDurable, SessionDamaged, ImageGone, SessionLimit],
        ..op("post", "/sessions/{session_id}/checkpoints", "storeCheckpoint", "Store a session's heap as it is") },
    Operation { request: json!(heaps::Restore), answers: &[(200, json!(Session))],
        errors: &[SessionNotFound, SessionNotReady, SessionBusy, SessionDamaged, CheckpointNotFound],
        ..op("post", "/sessions/{session_id}/restore", "restoreSession", "Have a session go on from one of its checkpoints") },
    Operation { request: json!(heaps::Migrate), answers: &[(200, json!(Session))],
        errors: &[SessionNotFound, SessionNotReady, SessionBusy, SessionPinned, SessionNotDurable, SessionDamaged, ImageGone,
            MigrateFailed, TemplateNotFound, TemplateInactive, WorktreeNotFound, ModuleNotAllowed, LibraryNotFound,
            LibraryFailed, StartupFailed, SessionLimit],
        ..op("post", "/sessions/{session_id}/migrate", "migrateSession",
            "Move a session to what its template is now; hooks of its script carry over what they choose") },

    Operation { parameters: &[
            query("checkpoint", "A checkpoint of the session; its heap as it is unless said", r#"{"type":"string","format":"uuid"}"#),
        ], answers: &[(200, Body::Other(heaps::SESSION_FILE))],
        errors: &[ExportDisabled, SessionNotFound, SessionNotReady, SessionBusy, SessionNotDurable, SessionDamaged, CheckpointNotFound,
            ImageGone, SessionLimit],
        ..op("get", "/sessions/{session_id}/export", "exportSession", "A session as a signed file, with all that it goes on from") },
    Operation { parameters: &[
            query("template", "The template that says what it may do; the one that it was made from unless said", r#"{"type":"string","format":"uuid"}"#),
            query("worktree_path", "Absolute; the directory that scripts may see. Required where it had one", r#"{"type":"string","pattern":"^/","maxLength":4096}"#),
        ], request: Body::Other("application/octet-stream"), answers: &[(201, json!(Session))],
        errors: &[ExportDisabled, SnapshotRefused, ImportNotAllowed, TemplateNotFound, TemplateInactive, InvalidPath, WorktreeNotFound,
            ModuleNotAllowed, InvalidRequest, SessionLimit],
        ..op("post", "/sessions/import", "importSession", "Make a session that goes on from an exported one") },

    Operation { parameters: &[
            Parameter { required: true, ..query("session_id", "Of this session", r#"{"type":"string","format":"uuid"}"#) },
            query("before", "Only executions older than this one", r#"{"type":"string","format":"uuid"}"#),
            LIMIT,
        ], answers: &[(200, json!(Vec<Execution>))], errors: &[SessionNotFound, ExecutionNotFound],
        ..op("get", "/executions", "listExecutions", "Executions of a session, newest first; 50 unless limit says otherwise") },
    Operation { parameters: &[ONCE, PREFER], request: json!(executions::Repl),
        answers: &[(201, json!(Execution)), (202, json!(Execution))],
        errors: &[SessionNotFound, SessionNotReady, SessionBusy, OutputLimitExceeded, SessionDamaged, ImageGone, SessionLimit],
        ..op("post", "/executions/repl", "runRepl", "Run a piece of JavaScript in a session") },
    Operation { parameters: &[ONCE, PREFER], request: json!(executions::RunFile),
        answers: &[(201, json!(Execution)), (202, json!(Execution))],
        errors: &[SessionNotFound, SessionNotReady, SessionBusy, OutputLimitExceeded, FileNotFound, InvalidPath,
            SessionDamaged, ImageGone, SessionLimit],
        ..op("post", "/executions/run-file", "runFile", "Run a file of the session's worktree") },
    Operation { answers: &[(200, json!(Execution))], errors: &[ExecutionNotFound],
        ..op("get", "/executions/{execution_id}", "getExecution", "An execution") },
    Operation { answers: &[(200, json!(Execution))], errors: &[ExecutionNotFound],
        ..op("post", "/executions/{execution_id}/cancel", "cancelExecution", "Stop an execution and answer with its end") },
    Operation { parameters: &[
            query("after_seq", "Only events after this one", r#"{"type":"integer","minimum":0}"#),
            LIMIT,
            header("Last-Event-ID", "Where a stream goes on", r#"{"type":"string","pattern":"^[0-9]*$"}"#),
        ], answers: &[(200, Body::JsonOrEvents(schema::<Vec<Event>>))], errors: &[ExecutionNotFound],
        ..op("get", "/executions/{execution_id}/events", "listEvents",
            "What an execution printed and came to; with Accept: text/event-stream as it happens") },
    Operation { parameters: &[ONCE], request: json!(executions::RunOnce), answers: &[(201, json!(executions::RanOnce))],
        errors: &[TemplateNotFound, TemplateInactive, InvalidPath, WorktreeNotFound, ModuleNotAllowed, LibraryNotFound,
            LibraryFailed, StartupFailed, SessionLimit, OutputLimitExceeded, FileNotFound],
        ..op("post", "/run", "runOnce", "Run something in a session that lives no longer") },
];

/// Names, or entries with their grants.
#[derive(schemars::JsonSchema)]
#[schemars(untagged, rename = "ModuleList")]
#[allow(dead_code, reason = "a shape, never a value")]
enum Listed {
    Names(Vec<ModuleName>),
    Grants(Vec<Grant>),
}
