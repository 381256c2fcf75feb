-- +goose Up

-- The tables of migrations/sqlite, which say what each is for. Names and times are
-- compared byte for byte. The type json keeps the bytes that the chains cover.
CREATE TABLE ledger (
    one integer PRIMARY KEY CHECK (one = 1),
    id  text NOT NULL,
    mac bytea NOT NULL
);

CREATE TABLE events (
    seq       bigint PRIMARY KEY CHECK (seq > 0),
    body      json NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    mac       bytea NOT NULL CHECK (length(mac) = 32),
    time      text COLLATE "C" GENERATED ALWAYS AS (body ->> 'time') STORED,
    kind      text COLLATE "C" GENERATED ALWAYS AS (body ->> 'kind') STORED,
    caller    text COLLATE "C" GENERATED ALWAYS AS (coalesce(body ->> 'caller', '')) STORED,
    tenant    text COLLATE "C" GENERATED ALWAYS AS (coalesce(body ->> 'tenant', '')) STORED,
    tenant_id text COLLATE "C" GENERATED ALWAYS AS (coalesce(body ->> 'tenant_id', '')) STORED,
    approver  text COLLATE "C" GENERATED ALWAYS AS (coalesce(body ->> 'approver', '')) STORED,
    rule      text COLLATE "C" GENERATED ALWAYS AS (coalesce(body ->> 'rule', '')) STORED,
    closes    bigint GENERATED ALWAYS AS ((body ->> 'of')::bigint) STORED,
    state     text COLLATE "C" GENERATED ALWAYS AS (body ->> 'state') STORED
);

CREATE INDEX events_intents ON events (rule, time) WHERE kind = 'intent';
CREATE INDEX events_closes ON events (closes) WHERE closes IS NOT NULL;
CREATE INDEX events_states ON events (state, seq) WHERE state IS NOT NULL;
CREATE INDEX events_tenants ON events (tenant_id, seq) WHERE kind = 'intent';

CREATE TABLE states (
    kind    text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    body    json NOT NULL,
    mac     bytea NOT NULL CHECK (length(mac) = 32),
    caller  text COLLATE "C" GENERATED ALWAYS AS (coalesce(body ->> 'caller', '')) STORED,
    in_band integer GENERATED ALWAYS AS (CASE body ->> 'in_band' WHEN 'true' THEN 1 ELSE 0 END) STORED,
    spent   integer GENERATED ALWAYS AS (CASE body ->> 'spent' WHEN 'true' THEN 1 ELSE 0 END) STORED,
    created text COLLATE "C" GENERATED ALWAYS AS (body ->> 'created') STORED,
    expires text COLLATE "C" GENERATED ALWAYS AS (body ->> 'expires') STORED,
    PRIMARY KEY (kind, name)
);

CREATE INDEX states_open ON states (caller, in_band, expires) WHERE kind = 'ticket' AND spent = 0;
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;
CREATE INDEX states_asked ON states (caller, created) WHERE kind = 'ticket' AND in_band = 1;
CREATE INDEX states_tokens ON states (caller, expires) WHERE kind = 'token';

CREATE TABLE checkpoints (
    seq  bigint PRIMARY KEY,
    body json NOT NULL
);

CREATE TABLE runs (
    id       text COLLATE "C" PRIMARY KEY,
    kind     text COLLATE "C" NOT NULL,
    caller   text COLLATE "C" NOT NULL,
    label    text COLLATE "C" NOT NULL DEFAULT '',
    created  text COLLATE "C" NOT NULL,
    finished text COLLATE "C" NOT NULL DEFAULT '',
    state    text COLLATE "C" NOT NULL,
    owner    text COLLATE "C" NOT NULL,
    lease    text COLLATE "C" NOT NULL,
    size     bigint NOT NULL,
    request  json NOT NULL,
    base     text COLLATE "C" NOT NULL DEFAULT '',
    totals   text NOT NULL DEFAULT 'null',
    kept     bigint NOT NULL DEFAULT -1
);

CREATE INDEX runs_newest ON runs (created);
CREATE INDEX runs_alive ON runs (caller, kind) WHERE state = 'running';

CREATE TABLE run_rows (
    run        text COLLATE "C" NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    n          bigint NOT NULL,
    tenant     text COLLATE "C" NOT NULL,
    tenant_id  text COLLATE "C" NOT NULL,
    credential text COLLATE "C" NOT NULL,
    state      text COLLATE "C" NOT NULL DEFAULT '',
    rank       bigint NOT NULL DEFAULT 0,
    cause      text COLLATE "C" NOT NULL DEFAULT '',
    stale      boolean NOT NULL DEFAULT false,
    body       text NOT NULL DEFAULT 'null',
    PRIMARY KEY (run, n)
);

CREATE TABLE outbox (
    kind    text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    created text COLLATE "C" NOT NULL,
    due     text COLLATE "C" NOT NULL,
    tries   bigint NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE INDEX outbox_due ON outbox (kind, due);
