-- What is still to be sent to other servers, in the order of sending: the id of an event, or an EDU as JSON.
CREATE TABLE deliveries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    event_id TEXT,
    edu TEXT
) STRICT;
CREATE INDEX deliveries_by_destination ON deliveries (destination, sequence);

-- The keys that other servers have published.
CREATE TABLE server_keys (
    server_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    -- Until when the key counts, by its server; in milliseconds since the Unix epoch.
    valid_until_ms INTEGER NOT NULL,
    -- Whether the server has stopped using it.
    expired INTEGER NOT NULL,
    PRIMARY KEY (server_name, key_id)
) STRICT, WITHOUT ROWID;

-- The last answer of a server about its keys, for others who ask.
CREATE TABLE key_answers (
    server_name TEXT PRIMARY KEY,
    answer TEXT NOT NULL,
    received_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an invitation or an answered knock told of a room, as a JSON array of stripped state.
CREATE TABLE stripped_states (
    room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;

-- Messages to devices that other servers have sent, so that one which comes twice is taken once.
CREATE TABLE received_messages (
    origin TEXT NOT NULL,
    message_id TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    PRIMARY KEY (origin, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX received_messages_by_age ON received_messages (received_ms);

-- How many updates about the devices of a user here other servers were sent.
CREATE TABLE device_updates (
    user_id TEXT PRIMARY KEY,
    stream_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The devices of users of other servers, as their server tells them.
CREATE TABLE remote_devices (
    user_id TEXT PRIMARY KEY,
    -- The stream id of the last update that is in it.
    stream_id INTEGER NOT NULL,
    -- The answer to a query of the user's devices, with the updates since.
    devices TEXT NOT NULL
) STRICT, WITHOUT ROWID;
