-- What the whole contract needs: grants of modules, libraries, startup files, capabilities, idempotent requests.

-- A module's grant, JSON of the shape that the module declares.
ALTER TABLE template_modules ADD COLUMN config TEXT NOT NULL DEFAULT '{}';

CREATE TABLE template_libraries (
    key      INTEGER PRIMARY KEY,
    tenant   BLOB NOT NULL REFERENCES tenants (id),
    template INTEGER NOT NULL REFERENCES templates (key) ON DELETE CASCADE,
    name     TEXT NOT NULL,
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

-- Labels of old clients. They grant nothing.
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

-- A request that said it may be sent twice, and what it was answered. No status: it is under way, or the server
-- stopped before its answer was known. `request` is a digest of method, path and body.
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

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
