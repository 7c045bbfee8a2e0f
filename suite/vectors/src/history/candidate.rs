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
        let mut smallest = self.script().play(version);
        if !fails(&smallest) {
            return smallest;
        }
        let mut is_failing = true;
        for _ in 0..ATTEMPTS {
            let can_go_on = if is_failing { self.tree.simplify() } else { self.tree.complicate() };
            if !can_go_on {
                break;
            }
            let history = self.script().play(version);
            is_failing = fails(&history);
            if is_failing {
                smallest = history;
            }
        }
        smallest
    }
}
