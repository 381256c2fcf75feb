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
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-30 23:55:35');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-30 23:55:35');
INSERT INTO ledger (one, id, mac) VALUES (1, 'c740f6e0331b95aff6549cdf19f376cb', X'6E89F509F54D9E7F9C8252920E2E16B41B67B326031BDB0CB9F8A865809C602B');
INSERT INTO events (seq, body, hash, mac) VALUES (1, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"iDmse5/nDYCQgDWWWB8t+Q"}', X'50FDE671B056DE701196CDB45898CC1D7BB079732550A7AB966C1CC4CED704F3', X'26D3808BBF049ED94A46D1FBD464B406E6BB4ECA678758DF323D1ED60DF4D70E');
INSERT INTO events (seq, body, hash, mac) VALUES (2, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":1,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"tZRNS5JVFL2YuuvO3JGl/w"}', X'7654599C0F075BB2228BADCA7070EC9753D1BCE588B5F7A9AAB4006716BA80E9', X'D2E2BFB3C1FF605FCED36248DE9D4992074957434BAAF78DF6CADE80D0953695');
INSERT INTO events (seq, body, hash, mac) VALUES (3, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"3Yc02unkm/EmWRUThNmLmQ"}', X'885F315E65AD643F219C4526D95C9519DCE8F49F30B1DC40B5290332F29DA23D', X'8EE56ED2BB83F09F1A4534319C3538A91D9D1B3BC687B71F3488C2DAF78CE2D7');
INSERT INTO events (seq, body, hash, mac) VALUES (4, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":3,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"E7PeZt60A0dWpmACb3i86Q"}', X'5ED5035B3740109FD53A6B2E6137208B26D14A32843FA8A598B65743261F29B4', X'DE0BF0703EA5F8DA3585D3DAA8B66C92AEC9328B84F4283CBA8E6459FA20BAC0');
INSERT INTO events (seq, body, hash, mac) VALUES (5, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"byydw0srU3rV6vtn7x+a5w"}', X'D63DC2192A8D3484D69B0931CB0A23D9595FDA97485CA01F2E5022DFBB1646D8', X'95447D0B8470E4C2C250F10D1B575AF949DD2A571728C4CCFCFABB48EC707FE9');
INSERT INTO events (seq, body, hash, mac) VALUES (6, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":5,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"5QvHSi1mGyfMtraGWIUfyQ"}', X'99B491D302477984498E4880D279FD03CA1FE43764F363C50C2029D2D942A8E8', X'FF5ABB66BA4D658638B7CE3375EB47249F166216ADF09AB593654248341F6CD1');
INSERT INTO events (seq, body, hash, mac) VALUES (7, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_1","program":"v1.2.3","state":"ticket/ap_1","salt":"jAsC2el1yFB60J1AwFSaaA"}', X'75585AFB3239C69C7A1A7879A031DBD623551B5858B0946AB6E98318F493E16F', X'84D5D9B45410A8321007D588AF3314C64A67941E958F1D4884044A425F3FDC00');
INSERT INTO events (seq, body, hash, mac) VALUES (8, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_2","program":"v1.2.3","state":"ticket/ap_2","salt":"dW+k2iI/+C5JFKZoqKETSw"}', X'750816A24BFC1EE0A91868D7E83DDED060BF9E0236CD1CACF38BB9F8D1BD4728', X'F1B05A9F7491CE36D92D6835F32C77CC3865C21F687C927576EA794C18F7DE7E');
INSERT INTO events (seq, body, hash, mac) VALUES (9, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"confirmed","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_2","program":"v1.2.3","state":"ticket/ap_2","salt":"CHLfJWpgXXU8AJQynupP6w"}', X'5FD28E016628044D146747CE00A5ACBCDCBE59B8C3834C4BC832EF5B2C8F73FD', X'94542C687544CFED5AA3968C105DF9CA306494646E7DFDA910EE12636E7EF222');
INSERT INTO events (seq, body, hash, mac) VALUES (10, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"user","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"ada","program":"v1.2.3","state":"user/ada","salt":"zzQYpyL1ujpknfQozptvzw"}', X'6B803FE2902A8BEF14B8CEE3F5FD1F39430A4D9CA4A97A572A6A11B07D62AE8F', X'701FC7DBB7DB6989A6822D2984583182741CB3754A70E5952E0408C0FAAEDD85');
INSERT INTO events (seq, body, hash, mac) VALUES (11, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"user","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"bob","program":"v1.2.3","state":"user/bob","salt":"Yofb0gF6hyu9sPPJpbYkwg"}', X'C5B2BB4C471DE562FA1B2733A045ED87FF94CE2BE17ED627EDB406CCF6AD8185', X'59D5C8A13D46ED5DC6DE073945236B25E4F4A55E7833CBDFA9A9EEDAFFE291E1');
INSERT INTO events (seq, body, hash, mac) VALUES (12, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"user","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"bob","program":"v1.2.3","state":"user/bob","gone":true,"salt":"yT7t/j/c4PRbOrqPVh5SBA"}', X'B557FE61DEDC79D8720D0AFA7F93111EF92C0472584172BC4CD2DE383EAAC252', X'C7626F730D7044AA18ED1ADD2C344A79C9AF6B0660D3AEFF999E945F4A07C351');
INSERT INTO events (seq, body, hash, mac) VALUES (13, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"freeze","tenant_id":"","tenant":"","cloud":"","credential":"","result":"writes","program":"v1.2.3","state":"freeze/all","salt":"D+z6yzrBUY1MxTP8QopE5g"}', X'8DDB522B56204B5350B4DDA727DDA1FFCFA08D078F1BB07CE195CD001E4964C2', X'584601AC079169C53323759E7FF59451DBE5B636C129C529082286E0A22C2F1F');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('freeze', 'all', 13, '{"writes":true,"reads":false,"reason":"audit","since":"0001-01-01T00:00:00Z"}', X'952365018626F6FB03A5EDFD02357FF0E63302C348CCF0510CD784A5F62E180E');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_1', 7, '{"id":"ap_1","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_1","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"a64d83c125a2e52fffee3912437d1b4acc47e258994e95d9d676919b31bb37e4","requester":"alice","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z"}', X'F64BFAFD1E141223FE21D34659DDD0FD2A69978844D3C8C0728BE745B1EAEADB');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_2', 9, '{"id":"ap_2","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_2","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"d63e1afb0f1bafff5bf1b7950ed8d12b44ef0f9854df016b0bc3bbb06d0b5f0e","spent":true,"requester":"alice","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z"}', X'24AC520048225D7CC1E95ECE67B8F71823CEF8DC3CA9840BAA532BBAEF73B3D7');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('user', 'ada', 10, '{"name":"ada","key":{"salt":null,"time":0,"memory_kib":0,"threads":0,"public_key":"a2V5IG9mIGFkYQ=="},"grant":{"scopes":null,"tools":null,"tenants":null,"partner_ids":null},"added":"0001-01-01T00:00:00Z"}', X'A0F303F3F52C68A8A1E479341FEB73808756949EF3BEAB55FF76D73440B8E656');
