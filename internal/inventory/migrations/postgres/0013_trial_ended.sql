-- compatible since 10
-- A rollout that is over while the phones that it reached have not been told yet.
ALTER TABLE template_trials ADD COLUMN ended BIGINT NOT NULL DEFAULT 0;
