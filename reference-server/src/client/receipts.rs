//! (being written: client-server-api module receipts)
