CREATE TABLE checkpoints (
    seq  INTEGER PRIMARY KEY,
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;
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
CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL,
    mac BLOB NOT NULL
) STRICT;
CREATE TABLE outbox (
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    created TEXT NOT NULL,
    due     TEXT NOT NULL,
    tries   INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE schema_versions (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
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
CREATE INDEX events_closes ON events (closes) WHERE closes IS NOT NULL;
CREATE INDEX events_intents ON events (rule, time) WHERE kind = 'intent';
CREATE INDEX events_states ON events (state, seq) WHERE state IS NOT NULL;
CREATE INDEX events_tenants ON events (tenant_id, seq) WHERE kind = 'intent';
CREATE INDEX outbox_due ON outbox (kind, due);
CREATE INDEX runs_alive ON runs (caller, kind) WHERE state = 'running';
CREATE INDEX runs_newest ON runs (created);
CREATE INDEX states_asked ON states (caller, created) WHERE kind = 'ticket' AND in_band = 1;
CREATE INDEX states_open ON states (caller, in_band, expires) WHERE kind = 'ticket' AND spent = 0;
CREATE INDEX states_tokens ON states (caller, expires) WHERE kind = 'token';
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-30 21:20:48');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-30 21:20:48');
INSERT INTO ledger (one, id, mac) VALUES (1, '1aa91aabf6298e4018d98ca4df8b786d', X'4C29D8F83D6E3D25555039150E209CCB4C244B85419C0F61B815BF178B38EAE3');
INSERT INTO events (seq, body, hash, mac) VALUES (1, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"Au+yD+uwe5+0cTZikGGdnA"}', X'B37937C7AF2EAAC1194C43D46297D55FEBFAFF894F880E6B10B5AEDBBE5AC000', X'EF6053F09AAA6656E639E7F83CEC16D94566986C44E9C46431EDC50BF8DB9ECA');
INSERT INTO events (seq, body, hash, mac) VALUES (2, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":1,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"eDqHUfzFwKSq8g6zbgA/cQ"}', X'C69D5A68E96515DFF6BB33554AEB864EBBC219CB01E5A44F074DDD1C9C190B55', X'D3E2760746AB47F3088E6076D20967859F05ECC928A1F514495CB63917211CB1');
INSERT INTO events (seq, body, hash, mac) VALUES (3, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"QmGlML0vrqL+57ZNhLv5tA"}', X'F83C30C2905D5C9F1F2A6C27B55710399CBDA44AB12830B612861F7A85E6DE03', X'BB1A249C0DB0044637D20D70C74A4D6638E15EC36B0A6F63088A0DCC1112064F');
INSERT INTO events (seq, body, hash, mac) VALUES (4, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":3,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"69nsOfTlunOrojPRkidcXA"}', X'3305937DF02E789B5F2C6EBDC91DF77702E7F1B5FAF618EE291E1A1BE1C4FBA2', X'0F96FD4BD5AA0362AD31F7A74661A433A86EF4D4C2E93C120B91B60ED9D543A1');
INSERT INTO events (seq, body, hash, mac) VALUES (5, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"+iAwv8FWMjc37jqfkpxe3g"}', X'F12D1E29A0A13F86571400422AE394E0ED6D12EC2D039FD875AB5801E6F1DF26', X'9CAD1EA9FA5C8A6FA7F0E73A1F192A0BEBB25B7BD5C5198765CE3E426E59F59E');
INSERT INTO events (seq, body, hash, mac) VALUES (6, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":5,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"yVcPxGZ/GMt+BpA48G+uww"}', X'DDAE781FDF472FFBBABF14832DF7489E9BB47EAFAA60488E9FB24178B843BDFB', X'AA7B4426F7597999197F047892975084C6C77AECD5A296327606176EEB1AD2CE');
INSERT INTO events (seq, body, hash, mac) VALUES (7, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_1","program":"v1.2.3","state":"ticket/ap_1","salt":"ICOCiv7+MmRtQS7XDIgCCQ"}', X'093EE86CE7A69329A4822854F844F4E761A02C937289F51273FE360DDABBBAED', X'835210C5D7343386F26681F92C66F60874C5E9E9725ECA960B9EF938797AD690');
INSERT INTO events (seq, body, hash, mac) VALUES (8, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_2","program":"v1.2.3","state":"ticket/ap_2","salt":"IG1NTqXQkrhHuSQe6EPjIw"}', X'5F9E3208901D03A6D975E76ABDBC02E9676E070EFCE5F48B34F875CDD8B9C594', X'8B9AF6DE9AED71BD61430CAA6F701C5ADB9D2117FB331A05235BBACDDDF57FCF');
INSERT INTO events (seq, body, hash, mac) VALUES (9, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"confirmed","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_2","program":"v1.2.3","state":"ticket/ap_2","salt":"iZc6bv+6qxcLx9SZOPfE9w"}', X'9320F86392F4DA74681E7B96F4E89A29DFB98AD385C0DEF48BFBE52FE93518B7', X'F6F515A2EBE27A989A34C656BA02A15875670BF69606EB3A59010F98F932A7D2');
INSERT INTO events (seq, body, hash, mac) VALUES (10, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"ada","program":"v1.2.3","state":"approver/ada","salt":"VUlzuf1nZos96UBeigQBBw"}', X'863C4344F2566C03EA4B105F1CED5AD0E9B7C7890A2A433810FB04CFDA8E9BA4', X'C342D6FCBB8ACE3CD91595C2713E7A5C13F4C97182A9E5ECDDA19B730C9D257B');
INSERT INTO events (seq, body, hash, mac) VALUES (11, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"bob","program":"v1.2.3","state":"approver/bob","salt":"/ww3JoYGtnr2eRN3Titn1Q"}', X'0636E5B95B55FBA9F9ADAEB52BEA9CCD800D7CFC992FBA0FC0CD509A689A7CFB', X'CC58DD2C4680059339B260BADF2495CC4DDB010C7E6ED2C6D78EF55F183F9F86');
INSERT INTO events (seq, body, hash, mac) VALUES (12, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"bob","program":"v1.2.3","state":"approver/bob","gone":true,"salt":"n2duPHgxcU/HAoSoHDWyjg"}', X'1E9975542DE8633EB09B3ABC6E07742AB6702A1E9D4DA28A8A1040AC14368906', X'3A70F3E1C35BE4F1D5F3DE68DBB41FC8DFD185E53D9F3F490033161298604D93');
INSERT INTO events (seq, body, hash, mac) VALUES (13, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"freeze","tenant_id":"","tenant":"","cloud":"","credential":"","result":"writes","program":"v1.2.3","state":"freeze/all","salt":"pTZYPuyKJ6EVRO3+Qd2qtQ"}', X'AB3882ED8F7807841119D38BC7865C7B79F85FD8529D2980B0684FC4DEAEE863', X'839798B0E09294B9B66A40EE175F4A17BA51B78CB940FA1FB19AF99979A6F73B');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('freeze', 'all', 13, '{"writes":true,"reads":false,"reason":"audit","since":"0001-01-01T00:00:00Z"}', X'952365018626F6FB03A5EDFD02357FF0E63302C348CCF0510CD784A5F62E180E');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_1', 7, '{"id":"ap_1","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_1","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"a64d83c125a2e52fffee3912437d1b4acc47e258994e95d9d676919b31bb37e4","requester":"alice","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z"}', X'F64BFAFD1E141223FE21D34659DDD0FD2A69978844D3C8C0728BE745B1EAEADB');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_2', 9, '{"id":"ap_2","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_2","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"d63e1afb0f1bafff5bf1b7950ed8d12b44ef0f9854df016b0bc3bbb06d0b5f0e","spent":true,"requester":"alice","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z"}', X'24AC520048225D7CC1E95ECE67B8F71823CEF8DC3CA9840BAA532BBAEF73B3D7');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('approver', 'ada', 10, '{"name":"ada","salt":null,"time":0,"memory_kib":0,"threads":0,"public_key":"a2V5IG9mIGFkYQ==","added":"0001-01-01T00:00:00Z"}', X'195D070DA94035552D3455BBE04541D1D28E81C740611D94E8F59781BA535630');
