-- Clients of the authorization server. The id is made of the metadata, so that the same client is there once.
CREATE TABLE oauth_clients (
    client_id TEXT PRIMARY KEY,
    metadata TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The devices whose sessions were opened by OAuth 2.0.
CREATE TABLE oauth_sessions (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- Refresh tokens of these that were replaced: whoever uses one has stolen it, or was robbed.
CREATE TABLE spent_refresh_tokens (
    digest BLOB PRIMARY KEY,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_refresh_tokens_by_device ON spent_refresh_tokens (user_id, device_id);

-- Who is who at an identity provider.
CREATE TABLE provider_users (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
