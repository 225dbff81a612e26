CREATE TABLE templates (
    name       TEXT    NOT NULL PRIMARY KEY,
    vendor     TEXT    NOT NULL,
    file       TEXT    NOT NULL,
    active     INTEGER NOT NULL, -- number of a revision, 0 for none
    latest     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- A revision never changes.
CREATE TABLE template_revisions (
    template   TEXT    NOT NULL REFERENCES templates (name) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    id         TEXT    NOT NULL, -- SHA-256 of content, hexadecimal
    content    TEXT    NOT NULL, -- phone.TemplateContent as JSON
    base       TEXT    NOT NULL, -- the built-in template it was made from
    note       TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (template, number)
) STRICT;
