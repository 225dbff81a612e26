-- Times are unix milliseconds, 0 for never. A MAC is 12 lower-case hex digits.
-- Keep the columns the same as in ../sqlite. COLLATE "C" orders text
-- by its bytes, as SQLite does.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE extensions (
    number     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sort_key   TEXT COLLATE "C" NOT NULL UNIQUE, -- length and number: 9 < 10 < 100
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE devices (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mac        TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(mac) = 12),
    vendor     TEXT NOT NULL,
    model      TEXT NOT NULL,
    name       TEXT NOT NULL,
    site       TEXT NOT NULL,
    settings   TEXT NOT NULL, -- a JSON object of strings
    revision   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- One row for each digest user, so that no two are the same: line 0 is the user
-- of the extension itself, any other the user minted for that line of a device.
CREATE TABLE credentials (
    auth_user TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    extension TEXT COLLATE "C" NOT NULL REFERENCES extensions (number),
    device_id TEXT COLLATE "C" REFERENCES devices (id) ON DELETE CASCADE,
    line      BIGINT NOT NULL CHECK ((line = 0) = (device_id IS NULL)),
    label     TEXT NOT NULL, -- empty: the extension number
    secret    BYTEA NOT NULL, -- AES-256-GCM
    UNIQUE (device_id, line)
);
CREATE INDEX credentials_extension ON credentials (extension, line);
CREATE UNIQUE INDEX credentials_own ON credentials (extension) WHERE line = 0;

CREATE TABLE api_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       BYTEA NOT NULL UNIQUE, -- SHA-256 of the key text
    scopes     TEXT NOT NULL, -- a JSON array of strings
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_used  BIGINT NOT NULL
);

CREATE TABLE events (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    mac        TEXT COLLATE "C",
    device_id  TEXT COLLATE "C",
    proto      TEXT NOT NULL,
    path       TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    status     BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    millis     BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    user_agent TEXT NOT NULL,
    source     TEXT NOT NULL,
    detail     TEXT NOT NULL
);
CREATE INDEX events_mac ON events (mac, id);
CREATE INDEX events_device ON events (device_id, id);

CREATE TABLE leases (
    mac        TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
    ip         TEXT NOT NULL UNIQUE,
    client_id  TEXT NOT NULL,
    vendor     TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE seen (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    key             TEXT NOT NULL UNIQUE,
    extension       TEXT COLLATE "C" NOT NULL,
    user_agent      TEXT NOT NULL,
    ip_address      TEXT NOT NULL,
    contact         TEXT NOT NULL,
    transport       TEXT NOT NULL,
    last_registered BIGINT NOT NULL,
    created_at      BIGINT NOT NULL
);

CREATE TABLE device_state (
    device_id            TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    last_registered      BIGINT NOT NULL,
    user_agent           TEXT NOT NULL,
    ip_address           TEXT NOT NULL,
    contact              TEXT NOT NULL,
    transport            TEXT NOT NULL,
    last_provisioned     BIGINT NOT NULL,
    provisioned_revision BIGINT NOT NULL
);
