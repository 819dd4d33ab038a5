-- Named values of a tenant, encrypted by the server; the database has no key. `origins` is a JSON list of where they may
-- be sent.
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
