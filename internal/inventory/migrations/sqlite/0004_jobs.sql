-- Jobs are things done to phones in waves. Keep the columns the same as in
-- ../postgres.
CREATE TABLE jobs (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    args       TEXT    NOT NULL, -- a JSON object of strings
    waves      TEXT    NOT NULL, -- JSON
    counts     TEXT    NOT NULL, -- JSON
    node       TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    wave       INTEGER NOT NULL,
    wave_at    INTEGER NOT NULL,
    forgiven   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_unfinished ON jobs (node) WHERE ended_at = 0;
CREATE INDEX jobs_created ON jobs (created_at, id);

CREATE TABLE job_phones (
    job_id     TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    phone_id   TEXT    NOT NULL,
    wave       INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    due_at     INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (job_id, phone_id)
) STRICT;
