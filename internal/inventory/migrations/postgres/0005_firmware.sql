-- Images that phones fetch. What they hold lies in data_dir/firmware under its
-- SHA-256. name_key is the name in lower case: phones ask in any case.
CREATE TABLE firmware_images (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    vendor      TEXT NOT NULL,
    models      TEXT NOT NULL, -- a JSON array of strings
    hardware    TEXT NOT NULL, -- a JSON array of strings
    version     TEXT COLLATE "C" NOT NULL,
    requires    TEXT NOT NULL,
    name        TEXT NOT NULL,
    name_key    TEXT COLLATE "C" NOT NULL,
    size        BIGINT NOT NULL,
    sha256      TEXT COLLATE "C" NOT NULL UNIQUE,
    uploaded_at BIGINT NOT NULL,
    uploaded_by TEXT NOT NULL,
    UNIQUE (vendor, name_key, version)
);

-- Which image the phones of a model are to run; hardware '' is any revision.
CREATE TABLE firmware_targets (
    vendor          TEXT NOT NULL,
    model_key       TEXT COLLATE "C" NOT NULL,
    hardware        TEXT COLLATE "C" NOT NULL,
    model           TEXT NOT NULL,
    image_id        TEXT COLLATE "C" NOT NULL REFERENCES firmware_images (id),
    fallback_id     TEXT COLLATE "C" REFERENCES firmware_images (id),
    job_id          TEXT NOT NULL,
    allow_downgrade BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    updated_by      TEXT NOT NULL,
    PRIMARY KEY (vendor, model_key, hardware)
);

-- What is known of the firmware of a phone. Image ids here may be of images that
-- are gone.
CREATE TABLE firmware_phones (
    mac        TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(mac) = 12),
    admitted   TEXT NOT NULL,
    fetched    TEXT NOT NULL,
    version    TEXT NOT NULL,
    fetches    TEXT NOT NULL, -- a JSON array of unix milliseconds
    stopped_at BIGINT NOT NULL
);
