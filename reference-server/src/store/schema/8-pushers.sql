CREATE TABLE pushers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    pushkey TEXT NOT NULL,
    -- The device that has set it, and with which it ends.
    device_id TEXT NOT NULL,
    set_ms INTEGER NOT NULL,
    -- What the client has said of it, as one object.
    settings TEXT NOT NULL,
    -- What happened up to here is pushed or is not to be.
    position INTEGER NOT NULL,
    UNIQUE (user_id, app_id, pushkey)
) STRICT;
CREATE INDEX pushers_by_device ON pushers (user_id, device_id);
CREATE INDEX pushers_by_key ON pushers (app_id, pushkey);
