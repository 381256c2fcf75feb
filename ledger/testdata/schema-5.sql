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
) STRICT, WITHOUT ROWID;
CREATE INDEX events_closes ON events (closes) WHERE closes IS NOT NULL;
CREATE INDEX events_intents ON events (rule, time) WHERE kind = 'intent';
CREATE INDEX events_states ON events (state, seq) WHERE state IS NOT NULL;
CREATE INDEX events_tenants ON events (tenant_id, seq) WHERE kind = 'intent';
CREATE INDEX runs_alive ON runs (caller, kind) WHERE state = 'running';
CREATE INDEX runs_newest ON runs (created);
CREATE INDEX states_asked ON states (caller, created) WHERE kind = 'ticket' AND in_band = 1;
CREATE INDEX states_open ON states (caller, in_band, expires) WHERE kind = 'ticket' AND spent = 0;
CREATE INDEX states_tokens ON states (caller, expires) WHERE kind = 'token';
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-25 19:22:51');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-25 19:22:51');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (3, 2, 1, '2026-11-25 19:22:51');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (4, 3, 1, '2026-11-25 19:22:51');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (5, 4, 1, '2026-11-25 19:22:51');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (6, 5, 1, '2026-11-25 19:22:51');
INSERT INTO ledger (one, id, mac) VALUES (1, 'f3be9788aee6194618fce7798d30ad89', X'AAC288B4B6800974DFACF936D6BF2220FFA33B4246B55CB7FB806FE5B69FDF65');
INSERT INTO events (seq, body, hash, mac) VALUES (1, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"Hv5mT481ibDIMTGJfdRUTw"}', X'5DB9369F17CBE4A4063F4A4D917B6ED24EABB0FA55B9EB8A02020128715B911E', X'725A730693435313AEE4583D3D637F449ABC04AA886898AB1E115BBE57B08E94');
INSERT INTO events (seq, body, hash, mac) VALUES (2, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":1,"result":"done","salt":"Uh6uB47C8Tup7VhKQRNn1w"}', X'E3F3FD487DB8670B13E3E6DA6BCE9352AD874B3A2E3BE33F0268376010B78DDA', X'E1E466A83A195383E4A5C48842191CDD0981E3A4A1CE0A6F4BD3BC3296BB4DFC');
INSERT INTO events (seq, body, hash, mac) VALUES (3, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"mTBDOY/IRjUg4+yEzoPJxw"}', X'8AD634C87867864604C77649165138D70A3A2B61B5F8AE44A08FDD86680AB455', X'04FD51E110A99F081B2B90A19286AC0E7BF6B75F36E9CE65611682BC6B3062B1');
INSERT INTO events (seq, body, hash, mac) VALUES (4, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":3,"result":"done","salt":"e3RJ0ir2Mb49wFdyD2tJ/g"}', X'2F932C1F0B9DCD85F2F71F13C6DEA7EE29E9A2FF702BFC74EF0B462AFB0EA8EA', X'F49C31E732D7F44B47DEB1705713888FC60FCEC841C764541B98F77074759560');
INSERT INTO events (seq, body, hash, mac) VALUES (5, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"KWiaRXdxlTNp8uFiEVa/cw"}', X'0AFFA445EE066B6CFD2D505F24839FCE2C8123E1CE1FE94A5179FEB84123272E', X'9E9D65B43A2B2A51D2890B9555FDD869D93B60322AFAEE757033CB92E8A81E6E');
INSERT INTO events (seq, body, hash, mac) VALUES (6, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":5,"result":"done","salt":"r6ulYYQZnidNOImfYxlDgg"}', X'A7A95908BD82438416488DFFC190900120139AF912381782D5DC3DF24C9DFBA1', X'DA7F3F350D26396B879445990608693B977D6A483F376DA5F7B55B119DDF04EA');
INSERT INTO events (seq, body, hash, mac) VALUES (7, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_1","state":"ticket/ap_1","salt":"THFz9mvCj8jJLVhXqZmb/A"}', X'A6D2C3AF53B60BBB8A50E346E24CA2040323A5C30A465882E7808A1BAE401DC8', X'3C8F7CD125DD78A41E57C8C009D772F0D87CAB8AEDAB2684109015184C32D89F');
INSERT INTO events (seq, body, hash, mac) VALUES (8, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"HH9GF0majO16cLGHqCa7Sw"}', X'8269EE5F40698D862C4C634458A692B19A85A55952A25CFE5A71691CDEDAFB52', X'64C2BB6981816256B1259D1F4F4205B67F110A66C3D1F63F2DEA8D85F4123DFE');
INSERT INTO events (seq, body, hash, mac) VALUES (9, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"confirmed","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"JKnmg0Gdxmkp8OmtJJC+EA"}', X'37CF517232A13550CF42D20BBF17C348A9F724BB97715B822A0C190C21D4C13E', X'60A2E2A6D35BC5550D704616DA798B3A6A4DAD95D20CB1CBB53FB5E1DC0578A2');
INSERT INTO events (seq, body, hash, mac) VALUES (10, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"ada","state":"approver/ada","salt":"abm0vIuN3XD7k8a2li3GLw"}', X'ABD58C1A797741F18304E688CFD674B29B8C6E4CB367A259DAACD6F88A0BFE25', X'A24692805BEBCF6736B5F03D1C3FA2E09F1F536C0D3F185C38D44E6BCAF15849');
INSERT INTO events (seq, body, hash, mac) VALUES (11, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","salt":"I0wGEudxi3OTkd2+vyAEBg"}', X'211BD84D1B546BC87E31DED325BA450C3D38ABD1AD9A09C0614702B1DE5CFB2E', X'195D03E2E59D0BEC165B049BDE1D27D411F89C42BADF4A58033112FC2D74F29F');
INSERT INTO events (seq, body, hash, mac) VALUES (12, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","gone":true,"salt":"GMUpvtv/fmcxy+uG+LGvqw"}', X'B49EA578338F6954DD297811F2D0266A150608D18F49578B68F1FFABF9B5DF74', X'37F2B08C16A9B88C69C87CE7BCF3F57021A039B59DDB1ECFC6DB9CDD4DAF3A79');
INSERT INTO events (seq, body, hash, mac) VALUES (13, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"freeze","program":"v1.2.3","state":"freeze/all","salt":"4DA0X+1xnVeAFzihTUjGhQ"}', X'2FC2BEB2139B0A5B053B63FD2AF0F8DB3B3A03521CBF302483E45B225235C8DF', X'4DF17ED4EAEF0A0524698AE821DD247F96EBF58C53DBD8BE1307E4192F47CFC3');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('approver', 'ada', 10, '{"salt":null,"time":0,"memory_kib":0,"threads":0,"public_key":"a2V5IG9mIGFkYQ==","added":"0001-01-01T00:00:00.000000000Z"}', X'BC8CE398A48A655C5EAAF0881156E51CCE7AFEA1F1F7FFF55124A326AF3FEC7C');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('freeze', 'all', 13, '{"writes":true,"reads":false,"reason":"audit","since":"0001-01-01T00:00:00.000000000Z"}', X'286544AF69B1456AE5CE639E6B1B2101124BC6300C07790FA4357C74C55C68F4');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_1', 7, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_1","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"pk2DwSWi5S//7jkSQ30bSsxH4liZTpXZ1naRmzG7N+Q=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","requester":"alice"}', X'41966CD3E26436B87367AC69CAE52331EA8BF1F2F380FB8D068BC43EDFE89825');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_2', 9, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_2","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"1j4a+w8br/9b8beVDtjRK0TvD5hU3wFrC8O7sG0LXw4=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","spent":true,"requester":"alice"}', X'B9658B367AB5B096CAFAB55EB9225B485CAAC89C7BA7D5F3685970C40375EB03');
