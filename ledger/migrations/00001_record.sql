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

-- What holds now: tickets, approvers, the brake. seq is the entry of the record
-- with which the row changed last.
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
) STRICT, WITHOUT ROWID;

CREATE INDEX states_open ON states (caller, in_band, expires) WHERE kind = 'ticket' AND spent = 0;
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;

-- Where the record begins after entries were removed on purpose.
CREATE TABLE checkpoints (
    seq  INTEGER PRIMARY KEY,
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;
