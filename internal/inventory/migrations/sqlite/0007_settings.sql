-- Layers of settings below the phones' own. Keep the columns the same as in the
-- other folder.

CREATE TABLE setting_layers (
    scope      TEXT NOT NULL, -- global, site, vendor, model, group
    name       TEXT NOT NULL, -- empty for global
    settings   BLOB NOT NULL, -- a JSON object of strings, AES-256-GCM
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT;

-- How many changes of layers there were.
CREATE TABLE setting_revision (
    name     TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT;
