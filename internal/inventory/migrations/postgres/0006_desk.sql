-- Keep the columns the same as in ../sqlite.

-- The password from before a rotation, good until the new one has been proved.
ALTER TABLE credentials ADD COLUMN old_secret BYTEA; -- AES-256-GCM; NULL: none

-- What administrators did. There are no secrets in it.
CREATE TABLE audit (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    key_id     TEXT NOT NULL,
    key_name   TEXT NOT NULL,
    source     TEXT NOT NULL,
    request_id TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    status     BIGINT NOT NULL,
    detail     TEXT NOT NULL -- JSON
);
CREATE INDEX audit_subject ON audit (subject, id);

-- Answers to POSTs that may be sent again.
CREATE TABLE replays (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- SHA-256 of who asked, for what, and the key
    request    TEXT NOT NULL,             -- SHA-256 of the request
    answer     BYTEA NOT NULL,             -- AES-256-GCM: it may show a password
    created_at BIGINT NOT NULL
);
CREATE INDEX replays_created ON replays (created_at);
