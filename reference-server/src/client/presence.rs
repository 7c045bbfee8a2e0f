//! (being written: client-server-api module presence)
