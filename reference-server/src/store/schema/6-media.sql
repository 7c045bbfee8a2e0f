-- What is known of media; the bytes are kept apart.
CREATE TABLE media (
    media_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    -- Null until the content has come.
    content_type TEXT,
    file_name TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_media ON media (owner, created_ms) WHERE content_type IS NULL;
