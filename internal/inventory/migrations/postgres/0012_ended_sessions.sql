-- compatible since 10
-- Sessions of the page that were logged out before they were over.
CREATE TABLE ended_sessions (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- SHA-256 of the cookie
    ends_at BIGINT NOT NULL                  -- when it would have been over
);
