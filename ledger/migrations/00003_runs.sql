-- +goose Up

-- Runs over many tenants, and the place of each target in them. They are working
-- papers and no part of the record: nothing here proves anything, and nothing is
-- written to Azure because of it.
CREATE TABLE runs (
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    caller   TEXT NOT NULL,
    label    TEXT NOT NULL DEFAULT '',
    created  TEXT NOT NULL,
    finished TEXT NOT NULL DEFAULT '',
    state    TEXT NOT NULL,
    owner    TEXT NOT NULL,
    lease    TEXT NOT NULL,
    size     INTEGER NOT NULL,
    request  TEXT NOT NULL CHECK (json_valid(request))
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_newest ON runs (created);
CREATE INDEX runs_alive ON runs (caller, kind) WHERE state = 'running';

-- state is '' as long as a row has no result.
CREATE TABLE run_rows (
    run        TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    n          INTEGER NOT NULL,
    tenant     TEXT NOT NULL,
    tenant_id  TEXT NOT NULL,
    credential TEXT NOT NULL,
    state      TEXT NOT NULL DEFAULT '',
    rank       INTEGER NOT NULL DEFAULT 0,
    cause      TEXT NOT NULL DEFAULT '',
    stale      INTEGER NOT NULL DEFAULT 0,
    body       TEXT NOT NULL DEFAULT 'null',
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
