-- The secret paths of a device: what is shown once is stored as a hash, what its
-- files hold is encrypted.
CREATE TABLE tokens (
    device_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    steady_hash    BYTEA NOT NULL UNIQUE, -- SHA-256
    steady         BYTEA NOT NULL,        -- AES-256-GCM
    steady_used    BIGINT NOT NULL,
    enroll_hash    BYTEA UNIQUE,          -- SHA-256; NULL: retired
    enroll_expires BIGINT NOT NULL,
    enroll_used    BIGINT NOT NULL
);

-- The enrollment window that was opened last; one row, or none.
CREATE TABLE enrollment (
    id        TEXT NOT NULL PRIMARY KEY,
    mode      TEXT NOT NULL, -- pending, auto
    phones    BIGINT NOT NULL,
    subnet    TEXT NOT NULL, -- CIDR; empty: any
    opened_at BIGINT NOT NULL,
    closes_at BIGINT NOT NULL
);

-- The phones that it let in.
CREATE TABLE enrollment_phones (
    mac TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(mac) = 12)
);
