-- Revisions that a job gives to phones a few at a time: those that the job has
-- reached get it, the others what is active.
CREATE TABLE template_trials (
    template   TEXT    NOT NULL PRIMARY KEY REFERENCES templates (name) ON DELETE CASCADE,
    revision   INTEGER NOT NULL,
    job_id     TEXT    NOT NULL,
    keep       INTEGER NOT NULL, -- 1: phones that were reached keep it when the job halts
    created_at INTEGER NOT NULL
) STRICT;
