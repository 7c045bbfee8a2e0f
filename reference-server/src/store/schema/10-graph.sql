-- The state of a room at some point, as what it changes on another state; 0 is the empty one.
CREATE TABLE states (
    id INTEGER PRIMARY KEY,
    room_id TEXT NOT NULL,
    base INTEGER NOT NULL,
    -- The ids of the events that it has and the other has not, as a JSON array.
    set_events TEXT NOT NULL,
    -- The pairs of type and state key that it leaves empty, as a JSON array.
    emptied TEXT
) STRICT;
CREATE INDEX states_by_room ON states (room_id, id);

-- What became of the event: 0 accepted, 1 outlier, 2 soft-failed, 3 rejected, 4 withheld.
-- Only accepted ones are shown.
ALTER TABLE events ADD COLUMN standing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN state_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN state_after INTEGER NOT NULL DEFAULT 0;
-- The state of the room when the event had come, where that changed.
ALTER TABLE events ADD COLUMN room_state INTEGER;
-- The event that it would redact, whether that is known or not.
ALTER TABLE events ADD COLUMN redacts TEXT;

-- Until now every event followed the last: each state event makes a state, which can have its position for a number.
INSERT INTO states
SELECT position, room_id,
    coalesce((SELECT max(o.position) FROM events o
        WHERE o.room_id = e.room_id AND o.is_state = 1 AND o.position < e.position), 0),
    json_array(event_id), NULL
FROM events e WHERE is_state = 1;
UPDATE events SET
    state_before = coalesce((SELECT max(o.position) FROM events o
        WHERE o.room_id = events.room_id AND o.is_state = 1 AND o.position < events.position), 0),
    state_after = coalesce((SELECT max(o.position) FROM events o
        WHERE o.room_id = events.room_id AND o.is_state = 1 AND o.position <= events.position), 0),
    room_state = iif(is_state = 1, position, NULL),
    redacts = iif(type = 'm.room.redaction',
        coalesce(json_extract(pdu, '$.redacts'), json_extract(pdu, '$.content.redacts')), NULL);
DROP INDEX events_by_room;
CREATE INDEX events_by_room ON events (room_id, position) WHERE standing = 0;
CREATE INDEX room_states ON events (room_id, position) WHERE room_state IS NOT NULL;
CREATE INDEX redactions ON events (redacts) WHERE redacts IS NOT NULL;

-- The events that no other follows yet, as a JSON array of ids.
ALTER TABLE rooms ADD COLUMN extremities TEXT NOT NULL DEFAULT '[]';
UPDATE rooms SET extremities = coalesce((SELECT json_array(e.event_id) FROM events e
    WHERE e.room_id = rooms.room_id ORDER BY e.position DESC LIMIT 1), '[]');

-- Events that others follow and that are not here.
CREATE TABLE gaps (
    room_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    -- The event that follows it, by its position.
    position INTEGER NOT NULL,
    PRIMARY KEY (room_id, event_id, position)
) STRICT, WITHOUT ROWID;
