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
CREATE INDEX runs_alive ON runs (caller, kind) WHERE state = 'running';
CREATE INDEX runs_newest ON runs (created);
CREATE INDEX states_open ON states (caller, in_band, expires) WHERE kind = 'ticket' AND spent = 0;
CREATE INDEX states_tokens ON states (caller, expires) WHERE kind = 'token';
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-25 19:39:58');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-25 19:39:58');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (3, 2, 1, '2026-11-25 19:39:58');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (4, 3, 1, '2026-11-25 19:39:58');
INSERT INTO ledger (one, id, mac) VALUES (1, '148b66937683be37a2e0eceb3cf8110e', X'2E55410640E52A00C90E562D809968E25D423FFE4B25B73446D9FA6B074EF571');
INSERT INTO events (seq, body, hash, mac) VALUES (1, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"oo1ls3qK6OLtmf/Nt4D5Sw"}', X'9F9B5E7065860BC5667FE4BB802C838D9965699966209128199F019D882F0C90', X'F1D990635D685EFF178FBE978626319718676D0607C748BB682F8C2D4E19191C');
INSERT INTO events (seq, body, hash, mac) VALUES (2, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":1,"result":"done","salt":"vvDED/3M5q7bzeL5NmYtfQ"}', X'3F70661C82BE3EFB323F324DA06DA8DBD9E34D93E50526F578244C17B3B8DC4C', X'090569E41FF5A38E1F3E78B8941F323C64B3E1523EEDF6271E928946242E3E99');
INSERT INTO events (seq, body, hash, mac) VALUES (3, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"N3SHBuPQlL+lY5605C9vVQ"}', X'C6AE97823598E476F535F8456FD47153AB721C7BDB07D51CC0DF15C006A29C91', X'A12FF8C8C5BE7727F3DC49DC5451ABF788B6286431C9A7B1D94E0D3B6CEF9D79');
INSERT INTO events (seq, body, hash, mac) VALUES (4, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":3,"result":"done","salt":"FRWxLq8vjcEkvFXSMJKSxQ"}', X'E48FE579A290D87538D7D6239C8CFCC43645584685F7FD414EBC2A23A8485D40', X'5AF2221820FB53FC496F32BC3C5D2AA1626007C27261C943887BB374F3B193DD');
INSERT INTO events (seq, body, hash, mac) VALUES (5, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"OYtsZXd54pbbM+YJaLMB3A"}', X'5757BCFA847E788542DBA2040C6A6BD936C721BDA46A83BD230729EE1D8411B6', X'9D6DC7468038135B897372F1EF38D1248D76E337B562795C7C97B8E9C4BEEA2D');
INSERT INTO events (seq, body, hash, mac) VALUES (6, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":5,"result":"done","salt":"g3Bsp6U6VSjODNN9AmPIvg"}', X'2E257E8E71C236C4910CE8E05E7462EF102367E9A315E7FB72586C80F0CC567E', X'36C447D61A5A44D7F185CDE691AB38C373E5222FB8C46BD4CED39E5AABCCD05A');
INSERT INTO events (seq, body, hash, mac) VALUES (7, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_1","state":"ticket/ap_1","salt":"wWVgYpgeZYA1sN2yMBeD1g"}', X'ECBB612B670E3BF4CF20363049EBD7BE6FC9309BECD59D950EA565D482DC9F56', X'2FBFE124F37400E292EE747BB09597F14CE34DD337955EE1AEDE200860E9FA5D');
INSERT INTO events (seq, body, hash, mac) VALUES (8, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"it04k+yqY8EH0wnE3fvFdg"}', X'87520BBF2FB770E992FE89B29417C1B64BB4AB6D9E40E965F42FD8844F6D081D', X'C9BCA4E578D2DBB2B9D09D530342ECE2154BA30D9ECEF3476D2970C23EDA9193');
INSERT INTO events (seq, body, hash, mac) VALUES (9, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"confirmed","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"GB1X0TBvi5pCPODTxw/6dA"}', X'376B4ACC8BD3181BA2B1423ACCEA9F87196676583A694C4B4B80F3D33D83822E', X'ADB811164C918399A9BD53E969D79232E645407B219CD4C7843CBFF5BA68B4F2');
INSERT INTO events (seq, body, hash, mac) VALUES (10, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"ada","state":"approver/ada","salt":"1vcO1UH0tGUiIsrmfHF3qQ"}', X'D15B79E11924677A655DD0557FA7518D666BB5A0104276FF148F747AB845AEEE', X'71338A3DEB9314B995EE59C3142B4C20153BFB90A0999F34E61ED1E644591966');
INSERT INTO events (seq, body, hash, mac) VALUES (11, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","salt":"/k8Wql3EXIGjSK23pgxXag"}', X'D667C79D2F857F64840BF2734FA3DDFF204B5CBEC23DD2B82CD139E6279BC6BB', X'B455815140307F384CD53E93FEBDE0B6FB05C9FEE5CE8B306447A8ED627D5A7F');
INSERT INTO events (seq, body, hash, mac) VALUES (12, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","gone":true,"salt":"KonnjA+becKUbtQLLHaxiA"}', X'49A242A869F4B71B6EA685307105785DE25B320F8D5B8947E0662D9EC9F835E9', X'77DD46216E746669AA89C147521CC3D3CCE3E54E0358B1703743D66D0F3907F6');
INSERT INTO events (seq, body, hash, mac) VALUES (13, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"freeze","program":"v1.2.3","state":"freeze/all","salt":"fUM5XgQGoyRIZ2y0WM35Pg"}', X'45B597BFA5C6134B98DE7B4EF863DD7853F68CD725EE4C98F42DE7DBB83AFF53', X'FD87A6C80507CF15ED628C815B500024AD6FF9E7F12B7F1AEFFA1C2979900F68');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('approver', 'ada', 10, '{"salt":null,"time":0,"memory_kib":0,"threads":0,"public_key":"a2V5IG9mIGFkYQ==","added":"0001-01-01T00:00:00.000000000Z"}', X'BC8CE398A48A655C5EAAF0881156E51CCE7AFEA1F1F7FFF55124A326AF3FEC7C');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('freeze', 'all', 13, '{"writes":true,"reads":false,"reason":"audit","since":"0001-01-01T00:00:00.000000000Z"}', X'286544AF69B1456AE5CE639E6B1B2101124BC6300C07790FA4357C74C55C68F4');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_1', 7, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_1","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"pk2DwSWi5S//7jkSQ30bSsxH4liZTpXZ1naRmzG7N+Q=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","requester":"alice"}', X'41966CD3E26436B87367AC69CAE52331EA8BF1F2F380FB8D068BC43EDFE89825');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_2', 9, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_2","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"1j4a+w8br/9b8beVDtjRK0TvD5hU3wFrC8O7sG0LXw4=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","spent":true,"requester":"alice"}', X'B9658B367AB5B096CAFAB55EB9225B485CAAC89C7BA7D5F3685970C40375EB03');
