-- The public keys of devices, as they were uploaded.
CREATE TABLE device_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    keys TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- Numbered in the order of upload. A key that was claimed stays, so that it is not taken in again.
CREATE TABLE one_time_keys (
    number INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX one_time_keys_by_id ON one_time_keys (user_id, device_id, algorithm, key_id);
CREATE INDEX unclaimed_keys ON one_time_keys (user_id, device_id, algorithm, number) WHERE claimed = 0;

CREATE TABLE fallback_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    used INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, device_id, algorithm)
) STRICT, WITHOUT ROWID;

CREATE TABLE cross_signing_keys (
    user_id TEXT NOT NULL,
    -- master, self_signing or user_signing
    usage TEXT NOT NULL,
    public_key TEXT NOT NULL,
    -- As it was uploaded.
    key TEXT NOT NULL,
    PRIMARY KEY (user_id, usage)
) STRICT, WITHOUT ROWID;

-- Signatures that came after the keys that they are on: target is a device id or a public key of the user.
CREATE TABLE key_signatures (
    user_id TEXT NOT NULL,
    target TEXT NOT NULL,
    signer TEXT NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (user_id, target, signer, key_id)
) STRICT, WITHOUT ROWID;

-- told is empty when everybody is told who shares a room with the user, and names the only one who is otherwise.
CREATE TABLE device_list_changes (
    position INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    told TEXT NOT NULL,
    PRIMARY KEY (position, user_id, told)
) STRICT, WITHOUT ROWID;
