-- The secret paths of a device: what is shown once is stored as a hash, what its
-- files hold is encrypted.
CREATE TABLE tokens (
    device_id      TEXT NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    steady_hash    BLOB NOT NULL UNIQUE, -- SHA-256
    steady         BLOB NOT NULL,        -- AES-256-GCM
    steady_used    INTEGER NOT NULL,
    enroll_hash    BLOB UNIQUE,          -- SHA-256; NULL: retired
    enroll_expires INTEGER NOT NULL,
    enroll_used    INTEGER NOT NULL
) STRICT;

-- The enrollment window that was opened last; one row, or none.
CREATE TABLE enrollment (
    id        TEXT NOT NULL PRIMARY KEY,
    mode      TEXT NOT NULL, -- pending, auto
    phones    INTEGER NOT NULL,
    subnet    TEXT NOT NULL, -- CIDR; empty: any
    opened_at INTEGER NOT NULL,
    closes_at INTEGER NOT NULL
) STRICT;

-- The phones that it let in.
CREATE TABLE enrollment_phones (
    mac TEXT NOT NULL PRIMARY KEY CHECK (length(mac) = 12)
) STRICT;
