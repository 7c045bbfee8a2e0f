//! (being written: client-server-api module typing_notifications)
