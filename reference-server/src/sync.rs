//! (being written: what `/sync` answers)
