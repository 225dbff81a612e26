-- Keep the columns the same as in ../postgres.

-- A phone's own settings hold passwords. They are in "sealed" from here on; what
-- stands in "settings" was written before and is moved when the program starts.
ALTER TABLE devices ADD COLUMN sealed BLOB; -- a JSON object of strings, AES-256-GCM; NULL: none
ALTER TABLE devices ADD COLUMN setting_group TEXT NOT NULL DEFAULT ''; -- the setting "group", to find its phones
