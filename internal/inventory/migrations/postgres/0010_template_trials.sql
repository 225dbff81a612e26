-- Revisions that a job gives to phones a few at a time: those that the job has
-- reached get it, the others what is active.
CREATE TABLE template_trials (
    template   TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES templates (name) ON DELETE CASCADE,
    revision   BIGINT NOT NULL,
    job_id     TEXT   NOT NULL,
    keep       BIGINT NOT NULL, -- 1: phones that were reached keep it when the job halts
    created_at BIGINT NOT NULL
);
