//! A script from a seed, and how it is made smaller.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use protocol::RoomVersion;

use super::{History, Script};

/// No more scripts than these are played to make one smaller.
const ATTEMPTS: usize = 4_000;

/// A generated script that can be made smaller.
pub struct Candidate {
    tree: Box<dyn ValueTree<Value = Script>>,
}

/// The script of that number in the row of a seed.
pub fn generate(seed: u64, index: u64) -> Script {
    Candidate::new(seed, index).script()
}

impl Candidate {
    /// The candidate of that number in the row of a seed. Nothing else decides what it is.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&index.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let tree = Script::any().boxed().new_tree(&mut runner).expect("no script is filtered out");
        Self { tree }
    }

    /// The script as it is now.
    pub fn script(&self) -> Script {
        self.tree.current()
    }

    /// Makes the script smaller for as long as what it plays to still fails, within a bounded number of attempts, and
    /// gives the smallest history that failed. The whole history is given back if it does not fail.
    pub fn shrink(
        mut self,
        version: &'static RoomVersion,
        mut fails: impl FnMut(&History) -> bool,
    ) -> History {
        let mut smallest = Smallest { version, script: self.script(), history: self.script().play(version) };
        if !fails(&smallest.history) {
            return smallest.history;
        }
        let mut is_failing = true;
        for _ in 0..ATTEMPTS {
            let can_go_on = if is_failing { self.tree.simplify() } else { self.tree.complicate() };
            if !can_go_on {
                break;
            }
            is_failing = smallest.replace_by(self.script(), &mut fails);
        }
        smallest.close_up(&mut fails);
        smallest.history
    }
}

/// The smallest script that failed so far.
struct Smallest {
    version: &'static RoomVersion,
    script: Script,
    history: History,
}

impl Smallest {
    /// Takes a script in place of the smallest if it fails too, and tells whether it did.
    fn replace_by(&mut self, script: Script, fails: &mut impl FnMut(&History) -> bool) -> bool {
        let history = script.play(self.version);
        let is_failing = fails(&history);
        if is_failing {
            *self = Self { version: self.version, script, history };
        }
        is_failing
    }

    /// Leaves out turns that stand only because others count back over them.
    fn close_up(&mut self, fails: &mut impl FnMut(&History) -> bool) {
        let mut index = self.script.turns.len();
        while index > 0 {
            index -= 1;
            let left_out = self.script.without(index);
            self.replace_by(left_out, fails);
        }
        while self.script.opening.members > 0 {
            let mut fewer = self.script.clone();
            fewer.opening.members -= 1;
            if !self.replace_by(fewer, fails) {
                break;
            }
        }
    }
}
