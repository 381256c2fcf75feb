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
CREATE INDEX states_tokens ON states (caller, expires) WHERE kind = 'token';
CREATE INDEX states_waiting ON states (created) WHERE kind = 'ticket' AND in_band = 0;
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-25 19:39:58');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-25 19:39:58');
INSERT INTO schema_versions (id, version_id, is_applied, tstamp) VALUES (3, 2, 1, '2026-11-25 19:39:58');
INSERT INTO ledger (one, id, mac) VALUES (1, 'da4b8ae3566631e8eaf1c8988dd0b559', X'F4BAD589C241066C542BBBFFD80F1FE91B206EF0DF2077F6F2F48973D440CEA9');
INSERT INTO events (seq, body, hash, mac) VALUES (1, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"mT+IzfCL9CoOBPPRzZWotg"}', X'1C45D91CC4F8986F930C73988F71644A76A618CCB85E9328979F0F3E02C682DD', X'C2EC015C6C88D8FAD7B7CCB969A1B03C0B29FB9DF245FB2901A057604ACBA2BB');
INSERT INTO events (seq, body, hash, mac) VALUES (2, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":1,"result":"done","salt":"/54lpbad9LhwRTDYQTOLyA"}', X'7BD0CB5E08134904C250138B821977EC0DB24D91E99C2A8A7CB3EF8CF764FC9A', X'C082989D533C5C70528D7FF2FAB5A20E0B769A09CC35694DB6A0D0E8B50C30C8');
INSERT INTO events (seq, body, hash, mac) VALUES (3, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"6Xa8Efuz2HQi52cbSxzlDw"}', X'4FC04F4EC0C925CBBB5697AC84CD1156754E53C60AC62186499A1FF5BDF875A5', X'4D388957B56CBDEBB94AB4A2BA8F26B6A486EA10F3C3AE962C44D8753656B1B3');
INSERT INTO events (seq, body, hash, mac) VALUES (4, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":3,"result":"done","salt":"9yFq4ASue/llqAovJElyNw"}', X'15FAA1233A780039188E38858C55695EA1A168AC9A739495CAF9A3C55F173D6A', X'4F70EA64A42B0122CD100A68E65376F3B637C03F3F3A3E19248A20D4404AA07B');
INSERT INTO events (seq, body, hash, mac) VALUES (5, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"intent","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","salt":"NsUdqUW5itmScE7xLE4BmA"}', X'3D524613BCC9C6007783CEC57DCDC8C5BF8F5D3F91962090A5AA4F915E987945', X'42C4C600879953E3B4E2040ADA8B08A8A7CE10043F2045037E8CD8FE2D3F12B9');
INSERT INTO events (seq, body, hash, mac) VALUES (6, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"outcome","program":"v1.2.3","caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-000000000007","tenant":"contoso","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","argument_digest":"0e49cc63f6312b1e217d665749fd36d71064c6af89ad9fa7c0c84e27bd9ab153","of":5,"result":"done","salt":"tcSXQu73Mca+9YsFlZ69qA"}', X'AD5DB973225E780D131CED4600A35399AE20D2A718E8AA48058A8508F2DF845C', X'3CCFDC7082866D9F6143E9494DFC56C393561E6AEFA471E1A7A9A3D5E729030B');
INSERT INTO events (seq, body, hash, mac) VALUES (7, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_1","state":"ticket/ap_1","salt":"llvwztMAQ7vyLUIs1d1bCg"}', X'F79DB96119BD34A68AEADBEFC9D47DFB2D7266AF53C064A9A454AEA72F065451', X'C0609BD1CA0EBC4A3558551479DC2F2699E0D27485903B4A51A2D408FA39DCBC');
INSERT INTO events (seq, body, hash, mac) VALUES (8, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"asked","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"oFAFb1oZY6m4SGQO/AyqKg"}', X'264B98AD60DA30A4D345A888991BDD5E26F11B9D8EFF11C23415F00DB29DFEF2', X'499C531A67B7B3C9AAA6D86BBA3BC7BD8EE82286DC353402408EF7ABBF830D7E');
INSERT INTO events (seq, body, hash, mac) VALUES (9, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"confirmed","program":"v1.2.3","approval":"ap_2","state":"ticket/ap_2","salt":"f+r9wnCr6O16UuP5p0gUvA"}', X'1A377A2F0A76556335B5D46BD42979F7A3BEED4865F594EEDAA8949DBFBFCE07', X'A56375B11850EDFBDAE1A3A7FDB203455CB2DD5838CA54BA5BBC19593CEC92EB');
INSERT INTO events (seq, body, hash, mac) VALUES (10, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"ada","state":"approver/ada","salt":"kfggEC0g9R0uWeIy4bKycQ"}', X'284FF889AECC72D526B5E7FD7064FD4F68A9086C7509DB6CC05884ABB4FC3D90', X'D1109367E0F5E1BC4F3A1C488EB2BD0196A77F560BCEABFAD3982E045980A2B9');
INSERT INTO events (seq, body, hash, mac) VALUES (11, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","salt":"g/DYx9vKF5FNCGL56gFgkg"}', X'48AB7123282796FD38DFE415DC73E3D2713D90F679F583027E4049620B7439AC', X'16C9C7B5B162D54607FE07767569F9067B4CA2B5BF180A7AAB59AD09D848A68F');
INSERT INTO events (seq, body, hash, mac) VALUES (12, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"approver","program":"v1.2.3","detail":"bob","state":"approver/bob","gone":true,"salt":"uE2I85NZls3Y0j0JvljeZw"}', X'F5331E1B0E7CBF8778C8F202A580FB97C4581EC7B950B6E93732E07A050E6FFF', X'0D5DB968EB056434CA212AE045597B1C7B3A3F6B6BBB003D2FBDE0E0B4660D46');
INSERT INTO events (seq, body, hash, mac) VALUES (13, '{"time":"2026-03-04T12:00:00.123456789Z","kind":"freeze","program":"v1.2.3","state":"freeze/all","salt":"K5xGeN6YbMf0Acl31A+xeg"}', X'585E59E856A530A1961A637A645CA451713DD3F48C0885AC0B38E4FA2DB18DAC', X'616DF656C7F1EDE8922AFD58CCB0ECC1D51E2FB64F4397346C0BE7E2A3F037E8');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('approver', 'ada', 10, '{"salt":null,"time":0,"memory_kib":0,"threads":0,"public_key":"a2V5IG9mIGFkYQ==","added":"0001-01-01T00:00:00.000000000Z"}', X'BC8CE398A48A655C5EAAF0881156E51CCE7AFEA1F1F7FFF55124A326AF3FEC7C');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('freeze', 'all', 13, '{"writes":true,"reads":false,"reason":"audit","since":"0001-01-01T00:00:00.000000000Z"}', X'286544AF69B1456AE5CE639E6B1B2101124BC6300C07790FA4357C74C55C68F4');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_1', 7, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_1","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"pk2DwSWi5S//7jkSQ30bSsxH4liZTpXZ1naRmzG7N+Q=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","requester":"alice"}', X'41966CD3E26436B87367AC69CAE52331EA8BF1F2F380FB8D068BC43EDFE89825');
INSERT INTO states (kind, name, seq, body, mac) VALUES ('ticket', 'ap_2', 9, '{"caller":"stdio","tool":"register_partner","tenant_id":"11111111-0000-0000-0000-00000000000e","tenant":"tenant of ap_2","object_id":"22222222-0000-0000-0000-000000000001","cloud":"public","credential":"partner","before":{"state":"not_linked","version":-1},"partner_id":"1234567","binding":"1j4a+w8br/9b8beVDtjRK0TvD5hU3wFrC8O7sG0LXw4=","created":"2026-03-04T12:00:00.123456789Z","expires":"2026-03-04T13:00:00.123456789Z","spent":true,"requester":"alice"}', X'B9658B367AB5B096CAFAB55EB9225B485CAAC89C7BA7D5F3685970C40375EB03');
