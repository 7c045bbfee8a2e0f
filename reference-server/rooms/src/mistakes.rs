//! Mistakes that the room rules can be told to make, so that tests can be tested.
//!
//! A test that no mistake can make fail proves nothing. Each mistake here is one that a homeserver has made or might
//! make in a single place: a rule forgotten, a comparison off by one, a tie broken the wrong way. The code where it
//! belongs asks [`mistaken`]; a server that is not told to make a mistake makes none, and asking costs it a comparison.
//!
//! The choice is one of the thread, so that tests beside each other do not mislead each other; a whole process can be told to
//! make a mistake as well.

mod list;

use std::cell::Cell;
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::OnceLock;

pub use list::Mistake;

use crate::authorize::Rule;

thread_local! {
    static COMMITTED: Cell<Option<Mistake>> = const { Cell::new(None) };
}

static COMMITTED_EVERYWHERE: OnceLock<Vec<Mistake>> = OnceLock::new();

/// Makes mistakes in all threads, for as long as the process lives. Only the first choice counts.
pub fn commit_everywhere(mistakes: Vec<Mistake>) {
    let _ = COMMITTED_EVERYWHERE.set(mistakes);
}

/// Makes a mistake in this thread, in place of any other, for as long as the guard lives.
pub fn commit(mistake: Mistake) -> Committing {
    Committing { earlier: COMMITTED.replace(Some(mistake)), of_thread: PhantomData }
}

/// As long as it lives, its thread makes a mistake. Guards end in the reverse order of their beginning.
#[must_use = "the mistake is made only as long as the guard lives"]
#[derive(Debug)]
pub struct Committing {
    earlier: Option<Mistake>,
    /// Keeps the guard in the thread that it concerns.
    of_thread: PhantomData<*const ()>,
}

impl Drop for Committing {
    fn drop(&mut self) {
        COMMITTED.set(self.earlier);
    }
}

/// Whether this thread is to make a mistake.
pub(crate) fn mistaken(mistake: Mistake) -> bool {
    COMMITTED.get() == Some(mistake)
        || COMMITTED_EVERYWHERE.get().is_some_and(|mistakes| mistakes.contains(&mistake))
}

/// Whether this thread is to forget a rule.
pub(crate) fn forgets(rule: Rule) -> bool {
    mistaken(Mistake::Forgets(rule))
}

/// An ordering, which a mistake turns round.
pub(crate) fn unless(reversed: Mistake, ordering: Ordering) -> Ordering {
    if mistaken(reversed) { ordering.reverse() } else { ordering }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mistake_has_a_name_of_its_own_and_a_sentence() {
        let names: BTreeSet<String> = Mistake::all().map(Mistake::name).collect();
        assert_eq!(names.len(), Mistake::all().count());
        for mistake in Mistake::all() {
            assert_eq!(Mistake::find(&mistake.name()), Some(mistake));
            let sentence = mistake.sentence();
            assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
        }
    }

    #[test]
    fn a_mistake_ends_with_its_guard_and_stays_in_its_thread() {
        let outer = commit(Mistake::LevelsExceeded);
        {
            let _inner = commit(Mistake::Forgets(Rule::JoinBanned));
            assert!(forgets(Rule::JoinBanned) && !mistaken(Mistake::LevelsExceeded));
        }
        assert!(mistaken(Mistake::LevelsExceeded) && !forgets(Rule::JoinBanned));
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(!mistaken(Mistake::LevelsExceeded)));
        });
        drop(outer);
        assert!(!mistaken(Mistake::LevelsExceeded));
    }
}
