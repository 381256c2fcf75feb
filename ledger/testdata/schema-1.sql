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
    request  TEXT NOT NULL CHECK (json_valid(request))
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
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-30 20:52:11');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-30 20:52:11');
INSERT INTO ledger (one, id, mac) VALUES (1, 'b19cfba84aa1e5c6778b16ce56a4264c', X'1920CF9B4D6E2F4E5F92E30549567926D04CC5037922BF63D97E97BA33388C4C');
INSERT INTO events (seq, body, hash, mac) VALUES (1, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"uRooS0emVhodptRi5gIYWA"}', X'BE8850A2A2B7982BD3104CBA16E889EBBD24A00EA273AA9E93B334D9FA834E48', X'E3B7310391BD92DC2F1678E75F4E110352036B6320D717250E3A87B19A8C9929');
INSERT INTO events (seq, body, hash, mac) VALUES (2, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":1,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"aeWowpPYng+kWoGscoElVg"}', X'9DF70E19F414B093A5E8E82A054D30BDEFD8EF0565599087300FF7243B2725C5', X'E48DA459FD6386D76FB508C8C7624AB0147E4A43C83D77CF45D117033B1ADB10');
INSERT INTO events (seq, body, hash, mac) VALUES (3, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"VUodI9LcycPShRD2T/en/w"}', X'1A0960FE5DB0E29CE46D74554848CB90E542CBD67B7F239E59FBAD45FE5FCC99', X'217BA073E7B3326E2BE1805E501D745004165C1C4CBDF909B651C608D362A8BF');
INSERT INTO events (seq, body, hash, mac) VALUES (4, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":3,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"9rJzxc2aDo0YxI+pOfEWRg"}', X'14F42207D8CF473FC64C3562D32395EB3395D95B2DA613E52FDAF067BD46E92E', X'E16AD5F32875FF01047BC19EFCF55F2BDB8008D5EC957394A2945ADB5AD800AF');
INSERT INTO events (seq, body, hash, mac) VALUES (5, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"I5zB/HtFuLxc1ADEeu0dug"}', X'31FBFC5899D02E475BB7188C040CE67D09546B66EDAABAC2BE25A158041264F4', X'9DA2F510F15887A9046D6817106E085EA0C6B2C5E06EEA3AE18256BBBB01560F');
INSERT INTO events (seq, body, hash, mac) VALUES (6, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":5,"result":"done","program":"v1.2.3","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"ibsx4SRIJhXPUGWHH9PY3Q"}', X'2C0EE132312CC938F1C99FAF5F9A2419E8FD2A1A42F7CC00FF7A13EAF8E275E8', X'066CB6B1DA0A8599187A6609977B564CE002C1AB1B46D6B4D3FC0F11961EA810');
INSERT INTO events (seq, body, hash, mac) VALUES (7, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_1","program":"v1.2.3","state":"ticket/ap_1","salt":"5KDvbUL8l0mPMdloW9SXsg"}', X'48BECC058A74717C83CC6A0DC79D7B8A192E66DD0A047FB60610026B8F6D474F', X'1389F3C8EF2FFB279AFC0B7A05B084BE35E69BC61C71FE14716AB8D0DD0C30CD');
INSERT INTO events (seq, body, hash, mac) VALUES (8, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_2","program":"v1.2.3","state":"ticket/ap_2","salt":"T1LBHGJc/e9MA9YOQfB0Xw"}', X'EA403DB15BAC7E22BED711D725D5B5CABFD226C6A20F310EC08655872496F0A5', X'397C9E536A11A77591B67FB44121C19E5943E9F7FBDE35EC638D07B110049069');
INSERT INTO events (seq, body, hash, mac) VALUES (9, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"confirmed","tenant_id":"","tenant":"","cloud":"","credential":"","approval":"ap_2","program":"v1.2.3","state":"ticket/ap_2","salt":"Oh9iNuFwroYwYvLILuRk2w"}', X'6CECBB5C87AB65C9D46DE367BB556A1CE966BF75DD3E22924429013B27D45324', X'08D4D7E7166FFD29FB0719F23FFCA8CECF6CA65E58174081FAA4F1F94F23B489');
INSERT INTO events (seq, body, hash, mac) VALUES (10, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"ada","program":"v1.2.3","state":"approver/ada","salt":"i4XnzA7R3AnkFS/VejblBQ"}', X'39645007A5D5CF957B702A075D105589F6A7247277AE08C7034B9D6B296F210F', X'C8407DE0079DC984E62186B743FC547A25B0CD61DFBDAE3898B3BE1A78CA8072');
INSERT INTO events (seq, body, hash, mac) VALUES (11, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"bob","program":"v1.2.3","state":"approver/bob","salt":"U0/pa3B4l+LddfiqGRXggQ"}', X'E560FF6BB70A2849CA7C2D256F252CA24B65B2B2B303ABD48D9F13621237BAA3', X'26277E0F51B96B94CBD32E435720F80A0439D9710B6F2E344968A17BE771C6FD');
INSERT INTO events (seq, body, hash, mac) VALUES (12, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","tenant_id":"","tenant":"","cloud":"","credential":"","detail":"bob","program":"v1.2.3","state":"approver/bob","gone":true,"salt":"Za29YmN6saZet/rmEtmv+w"}', X'7601E8B2D69F05F0499B58B2F3F0478CF01FD3E839177BA65B736C2349E12A68', X'1C28ECF5F4D52A5CD8A4A86255B660E5228ADC72E7992D8DF3A71153A41E8B81');
INSERT INTO events (seq, body, hash, mac) VALUES (13, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"freeze","tenant_id":"","tenant":"","cloud":"","credential":"","result":"writes","program":"v1.2.3","state":"freeze/all","salt":"115xgyMUwEkVCW/nFdf4/Q"}', X'C5097FD70783F5EA01950F19086BF1305EB91CB88545EBB2D8A91AF3EB6A55DC', X'62C873E4BDFD11FA31A80EE57CED79FA7CA997079497C9EB7A16F9678F86675B');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('freeze', 'all', 13, '{"writes":true,"reads":false,"reason":"audit","since":"0001-01-01T00:00:00Z"}', X'952365018626F6FB03A5EDFD02357FF0E63302C348CCF0510CD784A5F62E180E');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_1', 7, '{"id":"ap_1","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_1","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"a64d83c125a2e52fffee3912437d1b4acc47e258994e95d9d676919b31bb37e4","requester":"alice","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z"}', X'F64BFAFD1E141223FE21D34659DDD0FD2A69978844D3C8C0728BE745B1EAEADB');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_2', 9, '{"id":"ap_2","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_2","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"d63e1afb0f1bafff5bf1b7950ed8d12b44ef0f9854df016b0bc3bbb06d0b5f0e","spent":true,"requester":"alice","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z"}', X'24AC520048225D7CC1E95ECE67B8F71823CEF8DC3CA9840BAA532BBAEF73B3D7');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('approver', 'ada', 10, '{"name":"ada","salt":null,"time":0,"memory_kib":0,"threads":0,"public_key":"a2V5IG9mIGFkYQ==","added":"0001-01-01T00:00:00Z"}', X'195D070DA94035552D3455BBE04541D1D28E81C740611D94E8F59781BA535630');
