//! (being written: client-server-api module syncing)
