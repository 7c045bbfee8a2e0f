-- The text that events are found by; rowid is the position of the event, key the place of the text in it.
CREATE VIRTUAL TABLE searched USING fts5 (text, key UNINDEXED, tokenize = 'porter unicode61');

INSERT INTO searched (rowid, text, key)
SELECT position, json_extract(pdu, '$.content.body'), 'content.body' FROM events
WHERE type = 'm.room.message' AND redacted_by IS NULL AND json_type(pdu, '$.content.body') = 'text';

INSERT INTO searched (rowid, text, key)
SELECT position, json_extract(pdu, '$.content.name'), 'content.name' FROM events
WHERE type = 'm.room.name' AND redacted_by IS NULL AND json_type(pdu, '$.content.name') = 'text';

INSERT INTO searched (rowid, text, key)
SELECT position, json_extract(pdu, '$.content.topic'), 'content.topic' FROM events
WHERE type = 'm.room.topic' AND redacted_by IS NULL AND json_type(pdu, '$.content.topic') = 'text';
