//! State resolution with one step left out or turned round, to see that every step decides a scene.

mod v1;
mod v2;

use std::collections::BTreeMap;
use std::fmt::Debug;

use oracle::StateMap;
use protocol::room_version::StateResolution;

use super::merge::Merge;
use super::{FILES, algorithm};

#[test]
fn every_step_decides_a_scene() {
    let merges: Vec<Merge> =
        FILES.iter().flat_map(|(_, scenes)| *scenes).flat_map(|scene| scene.merges()).collect();
    let of = |algorithm| merges.iter().filter(move |merge| merge.version().state_resolution == algorithm);
    require(&v1::Step::ALL, of(StateResolution::V1), v1::resolve);
    for algorithm in [StateResolution::V2, StateResolution::V2_1] {
        require(&v2::Step::of(algorithm), of(algorithm), v2::resolve);
    }
}

/// Requires that the result of some merge is another one without each step, and that of all merges is the right one
/// with all of them.
fn require<'a, Step: Copy + Debug>(
    steps: &[Step],
    merges: impl Iterator<Item = &'a Merge> + Clone,
    resolve: impl Fn(&Merge, Option<Step>) -> StateMap,
) {
    for merge in merges.clone() {
        assert_eq!(resolve(merge, None), merge.resolution.state, "{}", merge.telling());
    }
    let mut decided = BTreeMap::new();
    for step in steps {
        let differs = |merge: &&Merge| resolve(merge, Some(*step)) != merge.resolution.state;
        decided.insert(format!("{step:?}"), merges.clone().filter(differs).count());
    }
    let algorithm = merges.clone().next().map_or("none", |merge| algorithm(merge.version()));
    let idle: Vec<_> = decided.iter().filter(|(_, scenes)| **scenes == 0).collect();
    assert!(idle.is_empty(), "no scene of {algorithm} is decided by {idle:?}");
}
