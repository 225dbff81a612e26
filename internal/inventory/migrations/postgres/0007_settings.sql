-- Layers of settings below the phones' own. Keep the columns the same as in the
-- other folder.

CREATE TABLE setting_layers (
    scope      TEXT NOT NULL, -- global, site, vendor, model, group
    name       TEXT NOT NULL, -- empty for global
    settings   BYTEA NOT NULL, -- a JSON object of strings, AES-256-GCM
    revision   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);

-- How many changes of layers there were.
CREATE TABLE setting_revision (
    name     TEXT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL
);
