-- Times are unix milliseconds, 0 for never. A MAC is 12 lower-case hex digits.
-- Keep the columns the same as in ../postgres.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE extensions (
    number     TEXT    NOT NULL PRIMARY KEY,
    sort_key   TEXT    NOT NULL UNIQUE, -- length and number: 9 < 10 < 100
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

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

-- One row for each digest user, so that no two are the same: line 0 is the user
-- of the extension itself, any other the user minted for that line of a device.
CREATE TABLE credentials (
    auth_user TEXT    NOT NULL PRIMARY KEY,
    extension TEXT    NOT NULL REFERENCES extensions (number),
    device_id TEXT    REFERENCES devices (id) ON DELETE CASCADE,
    line      INTEGER NOT NULL CHECK ((line = 0) = (device_id IS NULL)),
    label     TEXT    NOT NULL, -- empty: the extension number
    secret    BLOB    NOT NULL, -- AES-256-GCM
    UNIQUE (device_id, line)
) STRICT;
CREATE INDEX credentials_extension ON credentials (extension, line);
CREATE UNIQUE INDEX credentials_own ON credentials (extension) WHERE line = 0;

CREATE TABLE api_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE, -- SHA-256 of the key text
    scopes     TEXT    NOT NULL,        -- a JSON array of strings
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used  INTEGER NOT NULL
) STRICT;

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
CREATE INDEX events_mac ON events (mac, id);
CREATE INDEX events_device ON events (device_id, id);

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
