//! (being written: client-server-api module read_markers)
