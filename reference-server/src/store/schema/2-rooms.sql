CREATE TABLE rooms (
    room_id TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    -- Whether the room is in the published room directory.
    published INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- In the order in which this server came to know of them; never changed but for redacted_by.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    room_id TEXT NOT NULL,
    is_state INTEGER NOT NULL,
    type TEXT NOT NULL,
    -- What the event relates to, and how.
    relates_to TEXT,
    rel_type TEXT,
    -- The whole event in the format of its room version.
    pdu TEXT NOT NULL,
    redacted_by TEXT,
    -- The device and transaction that sent it, for the echo.
    device_id TEXT,
    transaction_id TEXT
) STRICT;
CREATE INDEX events_by_room ON events (room_id, position);
CREATE INDEX relations ON events (relates_to, position) WHERE relates_to IS NOT NULL;
CREATE INDEX state_events ON events (room_id, position) WHERE is_state = 1;

-- Answers that are given again when a request is repeated; endpoint has the path without the transaction id.
CREATE TABLE transactions (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    event_id TEXT,
    PRIMARY KEY (user_id, device_id, endpoint, transaction_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE aliases (
    alias TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    creator TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_room ON aliases (room_id);

CREATE TABLE forgotten (
    user_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    PRIMARY KEY (user_id, room_id)
) STRICT, WITHOUT ROWID;

-- thread_id is empty for receipts without a thread.
CREATE TABLE receipts (
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    user_id TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, type, user_id, thread_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_by_position ON receipts (room_id, position);

CREATE TABLE to_device (
    position INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    event TEXT NOT NULL,
    -- The sync token of the answer that had the message last; sent back, it says that it arrived.
    delivered INTEGER,
    PRIMARY KEY (user_id, device_id, position)
) STRICT, WITHOUT ROWID;
