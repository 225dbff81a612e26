CREATE TABLE templates (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    vendor     TEXT NOT NULL,
    file       TEXT NOT NULL,
    active     BIGINT NOT NULL, -- number of a revision, 0 for none
    latest     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- A revision never changes.
CREATE TABLE template_revisions (
    template   TEXT COLLATE "C" NOT NULL REFERENCES templates (name) ON DELETE CASCADE,
    number     BIGINT NOT NULL,
    id         TEXT NOT NULL, -- SHA-256 of content, hexadecimal
    content    TEXT NOT NULL, -- phone.TemplateContent as JSON
    base       TEXT NOT NULL, -- the built-in template it was made from
    note       TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (template, number)
);
