-- Schema 5 as SQLite has it after all migrations.

CREATE TABLE checkpoint_bodies (
    key    INTEGER PRIMARY KEY REFERENCES checkpoints (key) ON DELETE CASCADE,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoints (
    key        INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL REFERENCES tenants (id),
    id         BLOB NOT NULL CHECK (length(id) = 16),
    session    INTEGER REFERENCES sessions (key) ON DELETE SET NULL,
    parent     INTEGER,
    children   INTEGER NOT NULL DEFAULT 0 CHECK (children >= 0),
    recipe     INTEGER NOT NULL REFERENCES recipes (key),
    kind       TEXT NOT NULL CHECK (kind IN ('run', 'fork', 'restore', 'import', 'migrate')),
    seq        INTEGER NOT NULL,
    execution  BLOB CHECK (length(execution) = 16),
    depth      INTEGER NOT NULL,
    pages      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant, id)
) STRICT;

CREATE TABLE event_chunks (
    key       INTEGER PRIMARY KEY,
    tenant    BLOB NOT NULL REFERENCES tenants (id),
    execution INTEGER NOT NULL REFERENCES executions (key) ON DELETE CASCADE,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    body      TEXT NOT NULL,
    UNIQUE (execution, first_seq)
) STRICT;

CREATE TABLE "executions" (
    key        INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL REFERENCES tenants (id),
    id         BLOB NOT NULL CHECK (length(id) = 16),
    session    INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('repl', 'run_file', 'startup')),
    input      TEXT,
    path       TEXT,
    args       TEXT NOT NULL,
    env        TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('running', 'ok', 'error', 'timeout', 'cancelled', 'interrupted')),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    result     TEXT,
    error      TEXT,
    metrics    TEXT NOT NULL,
    UNIQUE (tenant, id),
    CHECK ((status = 'running') = (ended_at IS NULL))
) STRICT;

CREATE TABLE idempotency_keys (
    key        INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    request    BLOB NOT NULL CHECK (length(request) = 32),
    created_at INTEGER NOT NULL,
    status     INTEGER,
    location   TEXT,
    body       BLOB,
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE kv_entries (
    key        INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL REFERENCES tenants (id),
    namespace  INTEGER NOT NULL REFERENCES kv_namespaces (key) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    is_json    INTEGER NOT NULL CHECK (is_json IN (0, 1)),
    value      BLOB NOT NULL,
    version    INTEGER NOT NULL,
    expires_at INTEGER,
    UNIQUE (namespace, name)
) STRICT;

CREATE TABLE kv_namespaces (
    key     INTEGER PRIMARY KEY,
    tenant  BLOB NOT NULL REFERENCES tenants (id),
    name    TEXT NOT NULL,
    bytes   INTEGER NOT NULL CHECK (bytes >= 0),
    version INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE recipes (
    key    INTEGER PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    hash   BLOB NOT NULL CHECK (length(hash) = 32),
    image  TEXT NOT NULL,
    body   TEXT NOT NULL,
    UNIQUE (tenant, hash)
) STRICT;

CREATE TABLE secrets (
    key        INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    origins    TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE sessions (
    key             INTEGER PRIMARY KEY,
    tenant          BLOB NOT NULL REFERENCES tenants (id),
    id              BLOB NOT NULL CHECK (length(id) = 16),
    template        BLOB NOT NULL CHECK (length(template) = 16),
    workspace_id    TEXT NOT NULL,
    base_commit_oid TEXT NOT NULL,
    worktree_path   TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('starting', 'ready', 'crashed', 'closed')),
    created_at      INTEGER NOT NULL,
    closed_at       INTEGER,
    last_error      TEXT,
    runtime_meta    TEXT, recipe INTEGER REFERENCES recipes (key), durability TEXT NOT NULL DEFAULT 'none'
    CHECK (durability IN ('none', 'checkpoint', 'every')), seq INTEGER NOT NULL DEFAULT 0, head INTEGER, wake_at INTEGER,
    UNIQUE (tenant, id)
) STRICT;

CREATE TABLE template_capabilities (
    key      INTEGER PRIMARY KEY,
    tenant   BLOB NOT NULL REFERENCES tenants (id),
    id       BLOB NOT NULL CHECK (length(id) = 16),
    template INTEGER NOT NULL REFERENCES templates (key) ON DELETE CASCADE,
    kind     TEXT NOT NULL CHECK (kind IN ('module', 'global', 'fs', 'net', 'env')),
    name     TEXT NOT NULL,
    enabled  INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    config   TEXT NOT NULL,
    UNIQUE (tenant, id),
    UNIQUE (template, kind, name)
) STRICT;

CREATE TABLE template_libraries (
    key      INTEGER PRIMARY KEY,
    tenant   BLOB NOT NULL REFERENCES tenants (id),
    template INTEGER NOT NULL REFERENCES templates (key) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    UNIQUE (template, name)
) STRICT;

CREATE TABLE template_modules (
    key      INTEGER PRIMARY KEY,
    tenant   BLOB NOT NULL REFERENCES tenants (id),
    template INTEGER NOT NULL REFERENCES templates (key) ON DELETE CASCADE,
    name     TEXT NOT NULL, config TEXT NOT NULL DEFAULT '{}',
    UNIQUE (template, name)
) STRICT;

CREATE TABLE template_startup_files (
    key         INTEGER PRIMARY KEY,
    tenant      BLOB NOT NULL REFERENCES tenants (id),
    id          BLOB NOT NULL CHECK (length(id) = 16),
    template    INTEGER NOT NULL REFERENCES templates (key) ON DELETE CASCADE,
    path        TEXT NOT NULL,
    order_index INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('eval', 'module')),
    UNIQUE (tenant, id),
    UNIQUE (template, path)
) STRICT;

CREATE TABLE templates (
    key        INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL REFERENCES tenants (id),
    id         BLOB NOT NULL CHECK (length(id) = 16),
    name       TEXT NOT NULL,
    engine     TEXT NOT NULL,
    is_active  INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    settings   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant, id),
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE tenants (
    id         BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX checkpoints_by_session ON checkpoints (session, key, bytes);

CREATE INDEX checkpoints_loose ON checkpoints (key) WHERE session IS NULL AND children = 0;

CREATE INDEX executions_by_session ON executions (session, key);

CREATE INDEX executions_running ON executions (key) WHERE status = 'running';

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE INDEX kv_entries_by_expiry ON kv_entries (expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX sessions_by_status ON sessions (tenant, status, key);

CREATE INDEX sessions_by_tenant ON sessions (tenant, key);

CREATE INDEX sessions_by_wake ON sessions (wake_at) WHERE wake_at IS NOT NULL;

CREATE INDEX sessions_fleeting ON sessions (key) WHERE status = 'ready' AND durability = 'none';
