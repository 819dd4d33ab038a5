-- Keys and values of scripts. `namespace` is a grant's; `name` is ordered by its bytes. `bytes` of a namespace counts what its
-- entries take, those included that have expired and are not swept yet; `version` is the last one that was given.
CREATE TABLE kv_namespaces (
    key     INTEGER PRIMARY KEY,
    tenant  BLOB NOT NULL REFERENCES tenants (id),
    name    TEXT NOT NULL,
    bytes   INTEGER NOT NULL CHECK (bytes >= 0),
    version INTEGER NOT NULL,
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

CREATE INDEX kv_entries_by_expiry ON kv_entries (expires_at) WHERE expires_at IS NOT NULL;
