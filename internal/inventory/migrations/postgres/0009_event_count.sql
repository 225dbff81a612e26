-- Keep the columns the same as in ../sqlite.

-- How many equal events one stands for; 0: itself only.
ALTER TABLE events ADD COLUMN count BIGINT NOT NULL DEFAULT 0;
