//! (being written: client-server-api module send_to_device)
