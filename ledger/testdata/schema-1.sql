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
CREATE INDEX states_open ON states (caller, in_band, expires) WHERE kind = 'ticket' AND spent = 0;
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-23 08:11:21');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-23 08:11:21');
INSERT INTO ledger (one, id, mac) VALUES (1, '5d6e00925654d838a769b6f099bde1ab', X'6ACB70792A6292DED92655D051FDE030AAF666D8CF89751726F8D4C2B7CE87D6');
INSERT INTO events (seq, body, hash, mac) VALUES (1, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","salt":"gX9rr7ZpwaGEfa2xxCNY+Q"}', X'57A85758219955EA66288ED52AA1AB48E0130CC8524F71FE1C3BBFB3D825AD67', X'6F8739DBC7C8F0C8C39844B5CCDD939DCE4E89C217E5D12136FE8B129327FAFC');
INSERT INTO events (seq, body, hash, mac) VALUES (2, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":1,"result":"done","salt":"nK/tevBh5+oI97DQYcJaYg"}', X'E6B57BE1D6B7AE5C25CC0796B8C745CC1F4E4CBBE9FA15F2F80CDD606911C5DE', X'421E385DEB4384D284AC3C633E622FFBA8854A7FFE99D8841403C52070B3754B');
INSERT INTO events (seq, body, hash, mac) VALUES (3, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","salt":"cb73rRdzollaXuD4UxNCSA"}', X'6A8C575E0BCF2572B069B111BD3C1D62A92D3C4ED420AAB97C89D28474D2748E', X'3AA5C36623AE033B9D21F9AD32BDDABE0D8E4AC2E0811A54C9C2E4DDC8424EE1');
INSERT INTO events (seq, body, hash, mac) VALUES (4, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":3,"result":"done","salt":"2VZtkmVoOUi/kLD1QJSmFA"}', X'A4B42F54CF015FADF0925698526BFA092830F3ACD26307E8A154D57153895470', X'AD0389A6BFE3813AE3716C128D59EF348953ED9B1A0BF02C8586A9EE514920AB');
INSERT INTO events (seq, body, hash, mac) VALUES (5, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","salt":"XKB5F/xsC0ex5JJKiDullw"}', X'40F1FCDD3A3D09BBF74B50EBC1D4B47B33CA0CBD7E2F9071637FBE9937B5204F', X'5A9C9D80E9C6914977632A03B59AF780E807441A7C046F3A4990BD7004975581');
INSERT INTO events (seq, body, hash, mac) VALUES (6, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","of":5,"result":"done","salt":"m3fuW9S/R5n3iPC2v+Ngcg"}', X'5D11039B682D46475D09F0154BDF44251DEF74EAB10A7E45A2F3E2F2DFA34EA6', X'A331CB7D7591B98A1473053B4D678406BB251E3D8BB1B2BC83E8DA0BBF62BC04');
INSERT INTO events (seq, body, hash, mac) VALUES (7, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_1","state":"ticket/ap_1","salt":"L8zHtTzv9GGyWSj5CfDXyw"}', X'FD49780CB905BF13B772516FD296BCEE009834B4F6DC6BB295C0F8D415764154', X'B76793E151CC8B70DC0F36BED1AACB9E4DD4B73029EEE23F39805A701F4A3CB9');
INSERT INTO events (seq, body, hash, mac) VALUES (8, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"dxt4LIquytThv7/JkS0AtA"}', X'838A3CEEDEE7C310DFB811DBF4BBD0E84EBFD3CF749224435AF50172AAADE7D9', X'9E86CEB5EF3C3CFCC7B39AA886E82BB9767C1FCD8F09A1EB8666A00FCEF2EB04');
INSERT INTO events (seq, body, hash, mac) VALUES (9, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"confirmed","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"c7+qwoyB0DlSwoux8xPhBw"}', X'04C7EE3FC27E48149ABC47E4EEE8A7CEE999B7BF472CE438D46B2B19D893C579', X'A5D9655C3731ADFBD6DB71BD55FE32B0309A1787ECA152F8CCD319FC25348693');
INSERT INTO events (seq, body, hash, mac) VALUES (10, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"ada","state":"approver/ada","salt":"Ao6RJ4FOgalFnUTkCCHtcQ"}', X'50FA38324246A88F522AB622F17CAD16145563799D6A57D10E63BB206F0D95F9', X'47061F3275738ED60CEE20F82D6F5106E41EA70DCA5E249E513D302ED04AF5DF');
INSERT INTO events (seq, body, hash, mac) VALUES (11, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","salt":"v2Fk4rIsIccMMDuSvZtgag"}', X'4775F2D5A7B7C45CE9FE446B9DDF0791752E86E7910B2FFECAA6F9995DDC90D2', X'23289E5AA5B6A22F3A4F55D5D0E64D8A7226FA8F9B5BA0F93F21391579E3F2FB');
INSERT INTO events (seq, body, hash, mac) VALUES (12, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","gone":true,"salt":"gIZfnIKcnt2Bzazh23sYMQ"}', X'E42C44460464776122957EE9B9F70407CF1C461A19715EB45A679D993C410260', X'6298A16782070EFF5C4CC035B546615591FCF3D7BE71E1AB2130E1C6F318DD7A');
INSERT INTO events (seq, body, hash, mac) VALUES (13, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"freeze","program":"v1.2.3","state":"freeze/all","salt":"OeeNE/ZFbhrQiaQxDChxVA"}', X'430536D8CF315C879D13BEE4D8EE7B47A3CFE4D3BB8A5914DB0E44E17446E55F', X'D318155A3E84E653C2146DF8E1A75837E9E28CED2A51AF5CCCE9352327713AB6');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('approver', 'ada', 10, '{"salt":null,"time":0,"memory_kib":0,"threads":0,"public_key":"a2V5IG9mIGFkYQ==","added":"0001-01-01T00:00:00.000000000Z"}', X'BC8CE398A48A655C5EAAF0881156E51CCE7AFEA1F1F7FFF55124A326AF3FEC7C');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('freeze', 'all', 13, '{"writes":true,"reads":false,"reason":"audit","since":"0001-01-01T00:00:00.000000000Z"}', X'286544AF69B1456AE5CE639E6B1B2101124BC6300C07790FA4357C74C55C68F4');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_1', 7, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_1","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"pk2DwSWi5S//7jkSQ30bSsxH4liZTpXZ1naRmzG7N+Q=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","requester":"alice"}', X'41966CD3E26436B87367AC69CAE52331EA8BF1F2F380FB8D068BC43EDFE89825');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_2', 9, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_2","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"1j4a+w8br/9b8beVDtjRK0TvD5hU3wFrC8O7sG0LXw4=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","spent":true,"requester":"alice"}', X'B9658B367AB5B096CAFAB55EB9225B485CAAC89C7BA7D5F3685970C40375EB03');
