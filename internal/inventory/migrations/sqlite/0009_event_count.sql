-- Keep the columns the same as in ../postgres.

-- How many equal events one stands for; 0: itself only.
ALTER TABLE events ADD COLUMN count INTEGER NOT NULL DEFAULT 0;
