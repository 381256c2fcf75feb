-- +goose Up

-- What the file is. mac proves that the vault's key belongs to it.
CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL,
    mac BLOB NOT NULL
) STRICT;

-- The record. Everything that is asked for by column is computed from body, so
-- that no column can say anything else than what the chains cover.
CREATE TABLE events (
    seq       INTEGER PRIMARY KEY CHECK (seq > 0),
    body      TEXT NOT NULL CHECK (json_valid(body)),
    hash      BLOB NOT NULL CHECK (length(hash) = 32),
    mac       BLOB NOT NULL CHECK (length(mac) = 32),
    time      TEXT AS (body ->> '$.time'),
    kind      TEXT AS (body ->> '$.kind'),
    caller    TEXT AS (coalesce(body ->> '$.caller', '')),
    tenant    TEXT AS (coalesce(body ->> '$.tenant', '')),
    tenant_id TEXT AS (coalesce(body ->> '$.tenant_id', '')),
    approver  TEXT AS (coalesce(body ->> '$.approver', '')),
    rule      TEXT AS (coalesce(body ->> '$.rule', '')),
    closes    INTEGER AS (body ->> '$.of'),
    state     TEXT AS (body ->> '$.state')
) STRICT;

CREATE INDEX events_intents ON events (rule, time) WHERE kind = 'intent';
CREATE INDEX events_closes ON events (closes) WHERE closes IS NOT NULL;
CREATE INDEX events_states ON events (state, seq) WHERE state IS NOT NULL;

-- Whether another write to the same link is open is asked before each tenant of
-- a run begins.
CREATE INDEX events_tenants ON events (tenant_id, seq) WHERE kind = 'intent';

-- What holds now: tickets, approvers, tokens, the freeze. seq is the entry of the record
-- with which the row changed last.
-- It has row IDs, so that looking for one row does not read the plans beside it.
CREATE TABLE states (
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    body    TEXT NOT NULL CHECK (json_valid(body)),
    mac     BLOB NOT NULL CHECK (length(mac) = 32),
    caller  TEXT AS (coalesce(body ->> '$.caller', '')),
    in_band INTEGER AS (coalesce(body ->> '$.in_band', 0)),
    spent   INTEGER AS (coalesce(body ->> '$.spent', 0)),
    created TEXT AS (body ->> '$.created'),
    expires TEXT AS (body ->> '$.expires'),
    PRIMARY KEY (kind, name)
) STRICT;

CREATE INDEX states_open ON states (caller, in_band, expires) WHERE kind = 'ticket' AND spent = 0;
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;

-- How many questions of a caller in the client came to nothing is asked before
-- each further one.
CREATE INDEX states_asked ON states (caller, created) WHERE kind = 'ticket' AND in_band = 1;

-- Invocation tokens are rows of states, of the kind token. Those of one name
-- are revoked together, and live ones are counted.
CREATE INDEX states_tokens ON states (caller, expires) WHERE kind = 'token';

-- Where the record begins after entries were removed on purpose.
CREATE TABLE checkpoints (
    seq  INTEGER PRIMARY KEY,
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;

-- Runs over many tenants, and the place of each target in them. They are working
-- papers and no part of the record: nothing here proves anything, and nothing is
-- written to Azure because of it. A run with a base lacks the rows that the base
-- repeats; kept is how many are left, -1 where that is not done yet.
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
    request  TEXT NOT NULL CHECK (json_valid(request)),
    base     TEXT NOT NULL DEFAULT '',
    totals   TEXT NOT NULL DEFAULT 'null',
    kept     INTEGER NOT NULL DEFAULT -1
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_newest ON runs (created);
CREATE INDEX runs_alive ON runs (caller, kind) WHERE state = 'running';

-- state is '' as long as a row has no result, and absent where the base of the run has
-- a row and the run has none.
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

-- Messages that wait until their receiver takes them, put here with the change that
-- they are about. No part of the record: a row that is changed or removed can only
-- repeat or suppress a message.
CREATE TABLE outbox (
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    created TEXT NOT NULL,
    due     TEXT NOT NULL,
    tries   INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_due ON outbox (kind, due);
