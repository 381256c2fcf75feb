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
CREATE INDEX states_open ON states (caller, in_band, expires) WHERE kind = 'ticket' AND spent = 0;
CREATE INDEX states_tokens ON states (caller, expires) WHERE kind = 'token';
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-25 17:11:55');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-25 17:11:55');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (3, 2, 1, '2026-11-25 17:11:55');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (4, 3, 1, '2026-11-25 17:11:55');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (5, 4, 1, '2026-11-25 17:11:55');
INSERT INTO ledger (one, id, mac) VALUES (1, '16172e13493786e4eb32728616db775a', X'A8DC53B986990CBEA6DF1DBF279BBC25F735ABDBDA03D1A0236CDC94AD0F54BA');
INSERT INTO events (seq, body, hash, mac) VALUES (1, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"im2rOlo8cdgJ0BqmQUFfoA"}', X'9809020F75392924E76F8CE0181DA54BFA943CD668ED4D424C4D42FE71DA4580', X'C9976F3589736F55FF8C722649FB638136A37F6B5FE112993D95D5B285D156FB');
INSERT INTO events (seq, body, hash, mac) VALUES (2, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":1,"result":"done","salt":"tISWdPuJ9jqJ33wu0l1/nQ"}', X'18D6DD3C4407BF1211A3D2A5D9F0DDC909F1C89B25101C8921327E5D3E565EEC', X'470C92C4EA4CEAE2154DCB2229B287B1ED5F0C71198B5811725E8AFD3200AD4D');
INSERT INTO events (seq, body, hash, mac) VALUES (3, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"AnOWfWZnORjY/OzZdp3+aQ"}', X'9B6088C35F98C369EE4F555D798A298137FDB34311270AC5ED6A38BB5F969F83', X'E840E7178F9AE3B46E8F117FC5CBFAB4A45D31CE5D3DAE97C847C1A4A29128B9');
INSERT INTO events (seq, body, hash, mac) VALUES (4, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":3,"result":"done","salt":"Ah53tp0z6te9D+sIhPofZg"}', X'9319EA45DC2D00FF6C522F1D67D67384AB45DF4CBD843391FB9919B438964389', X'34BD7BB269ACCC6131E405A5884C3578E09DA411AAD1C9A9800358687A015A94');
INSERT INTO events (seq, body, hash, mac) VALUES (5, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"Jcz5Oj+l/20kl41pmV4q1g"}', X'F5A0C6CBDF5E0E96635844AD4D9A7A049DC657A06B8584F72F815DA17DDCB22B', X'1D1559C7F3C44C649C570100AA1BB34C893546BADD068D188D88D26376484C00');
INSERT INTO events (seq, body, hash, mac) VALUES (6, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":5,"result":"done","salt":"rKH9zEqDbv/nEAa8QcLG1w"}', X'EE163F1DCB8513DE1322606427E99505E1FF95967D6C226175B7DBD60DA6B154', X'652B4CEFD61F2CAEF6951FDA4C53FF1443367B2ECA9FD3FCCA8A4EEA9F229B42');
INSERT INTO events (seq, body, hash, mac) VALUES (7, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_1","state":"ticket/ap_1","salt":"T4B7bgi8MAHrP4MoYl4XAw"}', X'D425A185DE3CCCFE34E8327277ACB3C023573E4A813C3F249407256B56BD8553', X'EA0AC23242F26C9F71AF49319A2C01D7834D6E52932774066AEB67131C9A9F21');
INSERT INTO events (seq, body, hash, mac) VALUES (8, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"wbAXRXd5IMBVb8AjHET7rw"}', X'39ED95EC8BF75FB657AD46326E4D45D1C5EE10F352E79C5822C84B9F9011A36D', X'B813DA390CA24E4AD4F415EFAE066885531ECFB776E12E2BF4B0207E7949328A');
INSERT INTO events (seq, body, hash, mac) VALUES (9, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"confirmed","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"Ibz92KFl/UTLdJbocCnZVA"}', X'0968E96EEB7F2E1EEEA268A6F4399E8FFAEB378BFFB4B8049127F892CFA20D7A', X'367334C54E65A271528DD341698E437BE7C7CC4C3E0FE0300DD12F41742AC9E1');
INSERT INTO events (seq, body, hash, mac) VALUES (10, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"ada","state":"approver/ada","salt":"Y4qMyVi0VuagKTFOcQ3mcw"}', X'C76D811920E370673DE0B2F798AF7B4697F1C7922DEB70BF8F58BC7590307024', X'08AA6B55BD94E6501CD474E2B3D9051425989C858825D0742436503CDE2A9A9C');
INSERT INTO events (seq, body, hash, mac) VALUES (11, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","salt":"YmiTfZAhbw9rZR6vunbPwA"}', X'9E3A4570B829F199364AB9108158C79C146D6F4F3FE7B77B8EAF677B5892FD82', X'161520916E59EB1D614F38042AFF14196450E315CBE57B2990972EF8AD170E0C');
INSERT INTO events (seq, body, hash, mac) VALUES (12, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","gone":true,"salt":"/F39YP85Hj0Bod14GXfpnw"}', X'FEF85D1452B102E9A3C247865F0059AB1B22E3A057D974BB6B775CD122E458C4', X'487B9A89753FBB5C9174446FC235E95D65A799C4106642734E1EEB72516434B8');
INSERT INTO events (seq, body, hash, mac) VALUES (13, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"freeze","program":"v1.2.3","state":"freeze/all","salt":"g5kyQKOm+Zfsqmgd/3/Nig"}', X'6EACC50162BE7F67DFAED35179211AB4C3408581FE6A37EE7508057BF97AB4B7', X'77E6B19C9EDD8F89AEA7DB80C1087BFBC63378F15589C6E0718DD4DC5ACF99A7');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('approver', 'ada', 10, '{"salt":null,"time":0,"memory_kib":0,"threads":0,"public_key":"a2V5IG9mIGFkYQ==","added":"0001-01-01T00:00:00.000000000Z"}', X'BC8CE398A48A655C5EAAF0881156E51CCE7AFEA1F1F7FFF55124A326AF3FEC7C');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('freeze', 'all', 13, '{"writes":true,"reads":false,"reason":"audit","since":"0001-01-01T00:00:00.000000000Z"}', X'286544AF69B1456AE5CE639E6B1B2101124BC6300C07790FA4357C74C55C68F4');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_1', 7, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_1","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"pk2DwSWi5S//7jkSQ30bSsxH4liZTpXZ1naRmzG7N+Q=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","requester":"alice"}', X'41966CD3E26436B87367AC69CAE52331EA8BF1F2F380FB8D068BC43EDFE89825');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_2', 9, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_2","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"1j4a+w8br/9b8beVDtjRK0TvD5hU3wFrC8O7sG0LXw4=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","spent":true,"requester":"alice"}', X'B9658B367AB5B096CAFAB55EB9225B485CAAC89C7BA7D5F3685970C40375EB03');
