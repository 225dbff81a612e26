PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE schema_migrations (
		version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL);
INSERT INTO schema_migrations VALUES(1,'0001_init.sql','9bd7a5dc5ad9da986a296e4d5f07b49781faa5dad2de6e2e97b54119655a4139',1795628326554);
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
INSERT INTO meta VALUES('key_check',X'4e7667101c149bd86238320489d03e5ab52f9736dcab98cbeb386b7232a69b442ba98871d3');
CREATE TABLE extensions (
    number     TEXT    NOT NULL PRIMARY KEY,
    sort_key   TEXT    NOT NULL UNIQUE, -- length and number: 9 < 10 < 100
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO extensions VALUES('101','03101','Front Desk',1795628327185,1795628327185);
INSERT INTO extensions VALUES('102','03102','Back',1795628327201,1795628327201);
CREATE TABLE devices (
    id         TEXT    NOT NULL PRIMARY KEY,
    mac        TEXT    NOT NULL UNIQUE CHECK (length(mac) = 12),
    vendor     TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    site       TEXT    NOT NULL,
    settings   TEXT    NOT NULL, -- a JSON object of strings
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO devices VALUES('phone_wed3k3bsm3prgbabatb5','0004f2abcdef','polycom','VVX 450','','','{"adminPassword":"old-admin-pw"}',1,1795628327214,1795628327214);
INSERT INTO devices VALUES('phone_nhbv23a7rsjz2hdxbelz','001565aabb01','yealink','T46S','','','{"label":"x"}',1,1795628327227,1795628327227);
CREATE TABLE credentials (
    auth_user TEXT    NOT NULL PRIMARY KEY,
    extension TEXT    NOT NULL REFERENCES extensions (number),
    device_id TEXT    REFERENCES devices (id) ON DELETE CASCADE,
    line      INTEGER NOT NULL CHECK ((line = 0) = (device_id IS NULL)),
    label     TEXT    NOT NULL, -- empty: the extension number
    secret    BLOB    NOT NULL, -- AES-256-GCM
    UNIQUE (device_id, line)
) STRICT;
INSERT INTO credentials VALUES('101_desk','101',NULL,0,'',X'2e485e2232e4c430df3b052433a30f48ad2b27077a5e79d45b4764799a414b1d9ea94f64a934592bba4f');
INSERT INTO credentials VALUES('102_mdecgt','102',NULL,0,'',X'5bd06a14cb25b3b8974bdcb706b3036ecd4cfc50617c4f7e3a284b08b70b7670c66369d614567e654b3a85f4c90c23271f88027efe74f68c');
INSERT INTO credentials VALUES('101_glwl4u','101','phone_wed3k3bsm3prgbabatb5',1,'',X'6378385f6bc6708c673c26b8d9f805e505a0943494ba82ddc9f0153aef1e07824ccbcd24f023a3a4308e81957a3a9136eee9fe6a1e7fd38f');
INSERT INTO credentials VALUES('101_va656b','101','phone_nhbv23a7rsjz2hdxbelz',1,'',X'8af79598e724f64fbeb31d860814db02ae0d1f2b21c1ce1db6e9b222b1b15f7f7988c86c041db037665c8dd274fe8780e2536b1da47a3951');
INSERT INTO credentials VALUES('102_te8nuo','102','phone_nhbv23a7rsjz2hdxbelz',2,'',X'ef392e082b25e16a5fee813aec6354ad154a9d901b5dab2af38e8627450f3a9d5314f6f269520a336b4b95d3719834617b5ad4760f53cb5b');
CREATE TABLE api_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE, -- SHA-256 of the key text
    scopes     TEXT    NOT NULL,        -- a JSON array of strings
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used  INTEGER NOT NULL
) STRICT;
INSERT INTO api_keys VALUES('key_x7wzvxh73qutlv2tbzgq','admin',X'5be254b889b371f34472c9035a043dec11b6db2a169113d7d7fbf7cc5977d6f3','["pbx:phones:read","pbx:phones:write","pbx:extensions:read","pbx:extensions:write","pbx:templates:read","pbx:templates:write","pbx:firmware:read","pbx:firmware:write","pbx:keys:write"]',1795628326558,0,0);
INSERT INTO api_keys VALUES('key_spc2vqone2u3fhd2jv3a','ro',X'a04bad7a0bf06ad55ca3b4b607e7bf7c8f3f02b261071b8b8a4ef0e03757966b','["pbx:phones:read"]',1795628327241,0,0);
CREATE TABLE events (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    mac        TEXT,
    device_id  TEXT,
    proto      TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    millis     INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    user_agent TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    detail     TEXT    NOT NULL
) STRICT;
CREATE TABLE leases (
    mac        TEXT    NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
    ip         TEXT    NOT NULL UNIQUE,
    client_id  TEXT    NOT NULL,
    vendor     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE seen (
    id              TEXT    NOT NULL PRIMARY KEY,
    key             TEXT    NOT NULL UNIQUE,
    extension       TEXT    NOT NULL,
    user_agent      TEXT    NOT NULL,
    ip_address      TEXT    NOT NULL,
    contact         TEXT    NOT NULL,
    transport       TEXT    NOT NULL,
    last_registered INTEGER NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;
CREATE TABLE device_state (
    device_id            TEXT    NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    last_registered      INTEGER NOT NULL,
    user_agent           TEXT    NOT NULL,
    ip_address           TEXT    NOT NULL,
    contact              TEXT    NOT NULL,
    transport            TEXT    NOT NULL,
    last_provisioned     INTEGER NOT NULL,
    provisioned_revision INTEGER NOT NULL
) STRICT;
DELETE FROM sqlite_sequence;
CREATE INDEX credentials_extension ON credentials (extension, line);
CREATE UNIQUE INDEX credentials_own ON credentials (extension) WHERE line = 0;
CREATE INDEX events_mac ON events (mac, id);
CREATE INDEX events_device ON events (device_id, id);
COMMIT;
