//! The checks that each fault of the built-in server has to turn red.
//!
//! The server only names its faults; what they break stands here.

mod accounts;
mod application_services;
mod encryption;
mod events;
mod federation;
mod membership;
mod rooms;
mod services;
mod syncing;

/// A fault by its name, with checks that it turns red. Of a check with cases, one case is enough.
pub type Killers = (&'static str, &'static [&'static str]);

const AREAS: [&[Killers]; 9] = [
    accounts::KILLERS,
    syncing::KILLERS,
    events::KILLERS,
    rooms::KILLERS,
    membership::KILLERS,
    encryption::KILLERS,
    services::KILLERS,
    federation::KILLERS,
    application_services::KILLERS,
];

/// Every fault for which checks are named.
pub fn all() -> impl Iterator<Item = &'static Killers> {
    AREAS.into_iter().flatten()
}

/// The ids of the checks that a fault has to turn red; none where the fault is not known.
pub fn killers(name: &str) -> &'static [&'static str] {
    all().find(|(fault, _)| *fault == name).map_or(&[], |(_, killers)| killers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::registry::{self, TESTS};

    #[test]
    fn every_fault_is_named_once_and_every_killer_is_a_check() {
        let names: BTreeSet<&str> = all().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), all().count());
        for (name, killers) in all() {
            assert!(!killers.is_empty(), "{name}");
            for killer in *killers {
                assert!(registry::find(TESTS, killer).is_some(), "{name}: {killer}");
            }
        }
    }
}
