//! The checks that each fault of the built-in server has to turn red.
//!
//! The server only names its faults; what they break stands here.

/// The ids of the checks that a fault has to turn red; none where the fault is not known.
pub fn killers(name: &str) -> &'static [&'static str] {
    let found = KILLERS.iter().find(|(fault, _)| *fault == name);
    found.map_or(&[], |(_, killers)| killers)
}

/// Every fault by name, with checks that it turns red.
pub const KILLERS: &[(&str, &[&str])] = &[];
