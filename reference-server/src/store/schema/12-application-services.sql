CREATE TABLE application_services (
    id TEXT PRIMARY KEY,
    -- What happened up to here is told, or in the pending transaction, or not for the service.
    position INTEGER NOT NULL,
    -- The number of the last transaction.
    transactions INTEGER NOT NULL,
    -- Its body, as long as it was not taken.
    pending TEXT
) STRICT, WITHOUT ROWID;

-- The rooms that services publish in the directories of their networks.
CREATE TABLE network_directory (
    service_id TEXT NOT NULL,
    network TEXT NOT NULL,
    room_id TEXT NOT NULL,
    PRIMARY KEY (service_id, network, room_id)
) STRICT, WITHOUT ROWID;
