-- compatible since 10
-- What the webhook was told, and what waits to be told. Keep the columns the same as
-- in ../postgres.
CREATE TABLE webhook_told (
    phone_id TEXT NOT NULL PRIMARY KEY,
    drift    TEXT NOT NULL -- JSON; a phone that does not differ has no row
) STRICT;

CREATE TABLE webhook_events (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    body       TEXT    NOT NULL, -- JSON, as it is sent
    tries      INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
