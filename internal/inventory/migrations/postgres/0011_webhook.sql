-- compatible since 10
-- What the webhook was told, and what waits to be told. Keep the columns the same as
-- in ../sqlite.
CREATE TABLE webhook_told (
    phone_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    drift    TEXT NOT NULL -- JSON; a phone that does not differ has no row
);

CREATE TABLE webhook_events (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body       TEXT   NOT NULL, -- JSON, as it is sent
    tries      BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
