//! Those who can take up an arrival, each busy with one at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A pool in which everybody has a place.
#[derive(Debug)]
pub struct Pool<L>(Mutex<Vec<Option<L>>>);

impl<L> Pool<L> {
    /// Everybody is free.
    pub fn new(everybody: impl IntoIterator<Item = L>) -> Self {
        Pool(Mutex::new(everybody.into_iter().map(Some).collect()))
    }

    /// Takes whom a number prefers among these places, or the next one after him who is free.
    pub fn take(&self, places: &[u32], number: u64) -> Option<(u32, L)> {
        let preferred = preferred(number, places.len())?;
        let mut everybody = self.lock();
        let (before, after) = places.split_at(preferred);
        after
            .iter()
            .chain(before)
            .find_map(|place| Some((*place, everybody.get_mut(*place as usize)?.take()?)))
    }

    /// Takes the one at this place, if he is free.
    pub fn take_from(&self, place: u32) -> Option<L> {
        self.lock().get_mut(place as usize)?.take()
    }

    /// Somebody is free again.
    pub fn give_back(&self, place: u32, who: L) {
        if let Some(free) = self.lock().get_mut(place as usize) {
            *free = Some(who);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<L>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spreads numbers evenly over so many, without a pattern that follows the schedule's own.
fn preferred(number: u64, many: usize) -> Option<usize> {
    let many = u64::try_from(many).ok().filter(|many| *many > 0)?;
    usize::try_from(mixed(number) % many).ok()
}

/// Who of so many owns the arrival of this number; whom of his own it prefers does not follow from it.
pub(crate) fn owner_of(number: u64, owners: usize) -> usize {
    preferred(mixed(number), owners).unwrap_or_default()
}

/// The finalizer of SplitMix64.
pub(crate) fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
