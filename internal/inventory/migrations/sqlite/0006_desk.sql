-- Keep the columns the same as in ../postgres.

-- The password from before a rotation, good until the new one has been proved.
ALTER TABLE credentials ADD COLUMN old_secret BLOB; -- AES-256-GCM; NULL: none

-- What administrators did. There are no secrets in it.
CREATE TABLE audit (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    key_id     TEXT    NOT NULL,
    key_name   TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    detail     TEXT    NOT NULL -- JSON
) STRICT;
CREATE INDEX audit_subject ON audit (subject, id);

-- Answers to POSTs that may be sent again.
CREATE TABLE replays (
    id         TEXT    NOT NULL PRIMARY KEY, -- SHA-256 of who asked, for what, and the key
    request    TEXT    NOT NULL,             -- SHA-256 of the request
    answer     BLOB    NOT NULL,             -- AES-256-GCM: it may show a password
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX replays_created ON replays (created_at);
