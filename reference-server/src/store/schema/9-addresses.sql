-- E-mail addresses and telephone numbers of accounts.
CREATE TABLE addresses (
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    user_id TEXT NOT NULL,
    validated_ms INTEGER NOT NULL,
    added_ms INTEGER NOT NULL,
    PRIMARY KEY (medium, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX addresses_by_user ON addresses (user_id);

-- Addresses that identity servers were told of.
CREATE TABLE bindings (
    user_id TEXT NOT NULL,
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    identity_server TEXT NOT NULL,
    PRIMARY KEY (user_id, medium, address, identity_server)
) STRICT, WITHOUT ROWID;

-- Proofs, begun or done, that somebody reads what is sent to an address.
CREATE TABLE validations (
    session TEXT PRIMARY KEY,
    client_secret TEXT NOT NULL,
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    token_digest BLOB NOT NULL,
    send_attempt INTEGER NOT NULL,
    next_link TEXT,
    -- When the session was begun or validated, whichever was later.
    modified_ms INTEGER NOT NULL,
    -- Null until the token has come back.
    validated_ms INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    UNIQUE (client_secret, medium, address)
) STRICT, WITHOUT ROWID;
