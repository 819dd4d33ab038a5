-- Sessions that outlive the server: what each is made of, and its heap as checkpoints. `foreign_keys` is off while this runs.

-- What sessions are made of: JSON of their modules with grants, libraries and settings. One row for all that are made alike;
-- `hash` is the server's digest of it, `image` is what such sessions need to run.
CREATE TABLE recipes (
    key    INTEGER PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    hash   BLOB NOT NULL CHECK (length(hash) = 32),
    image  TEXT NOT NULL,
    body   TEXT NOT NULL,
    UNIQUE (tenant, hash)
) STRICT;

-- A whole heap (no parent), or what changed since the parent, which may be another session's. `session` is the one whose history it
-- is in; none: it is there only for what builds on it. `children` counts that, so that what may go is an index and not a search; a
-- foreign key of `parent`, like one of a session's `head`, would need an index that every checkpoint writes, to say the same.
-- `seq` counts the executions that this heap includes, `depth` the deltas below it, `bytes` is the body's length.
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

CREATE INDEX checkpoints_by_session ON checkpoints (session, key, bytes);
CREATE INDEX checkpoints_loose ON checkpoints (key) WHERE session IS NULL AND children = 0;

-- Sealed by the server. A table of its own: a change of a row writes the whole row anew, and checkpoints change when they leave a
-- history; and the start of a server looks over every table but this one.
CREATE TABLE checkpoint_bodies (
    key    INTEGER PRIMARY KEY REFERENCES checkpoints (key) ON DELETE CASCADE,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    body   BLOB NOT NULL
) STRICT;

-- `seq` counts executions that have ended. `head` is the newest heap on the disk; none: as its image is, or never stored.
-- `wake_at`: a timer of a session that sleeps is due then.
ALTER TABLE sessions ADD COLUMN recipe INTEGER REFERENCES recipes (key);
ALTER TABLE sessions ADD COLUMN durability TEXT NOT NULL DEFAULT 'none'
    CHECK (durability IN ('none', 'checkpoint', 'every'));
ALTER TABLE sessions ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN head INTEGER;
ALTER TABLE sessions ADD COLUMN wake_at INTEGER;

-- The list of all, which sorted every session of the tenant for a page.
CREATE INDEX sessions_by_tenant ON sessions (tenant, key);
CREATE INDEX sessions_by_wake ON sessions (wake_at) WHERE wake_at IS NOT NULL;
-- Those that end with the server, among however many that do not.
CREATE INDEX sessions_fleeting ON sessions (key) WHERE status = 'ready' AND durability = 'none';

-- A new word among the statuses: the table has to be made anew, and gets its name only when the old one is gone.
CREATE TABLE executions_new (
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

INSERT INTO executions_new (key, tenant, id, session, kind, input, path, args, env, status, started_at, ended_at, result, error,
                            metrics)
SELECT key, tenant, id, session, kind, input, path, args, env, status, started_at, ended_at, result, error, metrics
FROM executions ORDER BY key;

DROP TABLE executions;
ALTER TABLE executions_new RENAME TO executions;

CREATE INDEX executions_by_session ON executions (session, key);
CREATE INDEX executions_running ON executions (key) WHERE status = 'running';
