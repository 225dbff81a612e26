-- Jobs are things done to phones in waves. Keep the columns the same as in
-- ../sqlite.
CREATE TABLE jobs (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    args       TEXT NOT NULL, -- a JSON object of strings
    waves      TEXT NOT NULL, -- JSON
    counts     TEXT NOT NULL, -- JSON
    node       TEXT COLLATE "C" NOT NULL,
    state      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    wave       BIGINT NOT NULL,
    wave_at    BIGINT NOT NULL,
    forgiven   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL
);
CREATE INDEX jobs_unfinished ON jobs (node) WHERE ended_at = 0;
CREATE INDEX jobs_created ON jobs (created_at, id);

CREATE TABLE job_phones (
    job_id     TEXT COLLATE "C" NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    phone_id   TEXT COLLATE "C" NOT NULL,
    wave       BIGINT NOT NULL,
    state      TEXT NOT NULL,
    due_at     BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    outcome    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (job_id, phone_id)
);
