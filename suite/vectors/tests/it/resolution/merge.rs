//! What states resolve to, as a scene states it by the names of events.

use std::collections::BTreeSet;

use oracle::{Events, Resolution, Rule, StateMap, resolve};
use protocol::RoomVersion;
use protocol::room_version::StateResolution;
use vectors::expected;
use vectors::file::Vector;

use super::script::Script;

/// Where no event stands.
pub(super) const NOTHING: &str = "nothing";

/// A resolution of which a part was stated.
pub(super) struct Merge {
    script: Script,
    pub(super) state_sets: Vec<StateMap>,
    pub(super) resolution: Resolution,
    stated_keys: BTreeSet<(String, String)>,
    stated_rejections: BTreeSet<String>,
}

impl Merge {
    pub(super) fn new(script: Script, state_sets: Vec<StateMap>) -> Self {
        let resolution = resolve(script.version(), &state_sets, script.room().events()).unwrap();
        Self {
            script,
            state_sets,
            resolution,
            stated_keys: BTreeSet::new(),
            stated_rejections: BTreeSet::new(),
        }
    }

    /// The version of the room.
    pub(super) fn version(&self) -> &'static RoomVersion {
        self.script.version()
    }

    /// All events of the room.
    pub(super) fn events(&self) -> &Events {
        self.script.room().events()
    }

    #[track_caller]
    pub(super) fn member(self, user_id: &str, name: &str) -> Self {
        self.at("m.room.member", user_id, name)
    }

    #[track_caller]
    pub(super) fn levels(self, name: &str) -> Self {
        self.at("m.room.power_levels", "", name)
    }

    #[track_caller]
    pub(super) fn join_rule(self, name: &str) -> Self {
        self.at("m.room.join_rules", "", name)
    }

    #[track_caller]
    pub(super) fn topic(self, name: &str) -> Self {
        self.at("m.room.topic", "", name)
    }

    /// The resolved state has this event there, or [`NOTHING`].
    #[track_caller]
    pub(super) fn at(mut self, event_type: &str, state_key: &str, name: &str) -> Self {
        let key = (event_type.to_owned(), state_key.to_owned());
        let found = self.resolution.state.get(&key).map_or(NOTHING, |id| self.script.room().name(id));
        assert_eq!(found, name, "{event_type} {state_key:?} of the resolved state\n{}", self.telling());
        self.stated_keys.insert(key);
        self
    }

    /// The full conflicted set, its names in any order.
    #[track_caller]
    pub(super) fn full_conflicted_set(self, names: &str) -> Self {
        let found: BTreeSet<&str> = self.names(&self.resolution.full_conflicted_set).into_iter().collect();
        let stated: BTreeSet<&str> = names.split_whitespace().collect();
        assert_eq!(found, stated, "the full conflicted set\n{}", self.telling());
        self
    }

    /// The events of the first pass, in their order.
    #[track_caller]
    pub(super) fn power_events(self, names: &str) -> Self {
        let found = self.names(self.resolution.power_events.iter().map(|event| &event.event_id)).join(" ");
        assert_eq!(found, names, "the power events\n{}", self.telling());
        self
    }

    #[track_caller]
    pub(super) fn mainline(self, names: &str) -> Self {
        let found = self.names(&self.resolution.mainline).join(" ");
        assert_eq!(found, names, "the mainline\n{}", self.telling());
        self
    }

    /// The events of the second pass, in their order.
    #[track_caller]
    pub(super) fn remaining_events(self, names: &str) -> Self {
        let found =
            self.names(self.resolution.remaining_events.iter().map(|event| &event.event_id)).join(" ");
        assert_eq!(found, names, "the remaining events\n{}", self.telling());
        self
    }

    /// An event that is rejected, and its rule. All rejected events are stated.
    pub(super) fn rejects(mut self, name: &str, rule: Rule) -> Self {
        self.stated_rejections.insert(format!("{name}: {rule}"));
        self
    }

    /// What holds in state resolution v1 only.
    #[track_caller]
    pub(super) fn in_v1(self, state: impl FnOnce(Self) -> Self) -> Self {
        self.where_it_is(&[StateResolution::V1], state)
    }

    /// What holds in state resolution v2 only.
    #[track_caller]
    pub(super) fn in_v2(self, state: impl FnOnce(Self) -> Self) -> Self {
        self.where_it_is(&[StateResolution::V2], state)
    }

    /// What holds in state resolution v2.1 only.
    #[track_caller]
    pub(super) fn in_v2_1(self, state: impl FnOnce(Self) -> Self) -> Self {
        self.where_it_is(&[StateResolution::V2_1], state)
    }

    /// What holds in state resolution v2 and v2.1.
    #[track_caller]
    pub(super) fn since_v2(self, state: impl FnOnce(Self) -> Self) -> Self {
        self.where_it_is(&[StateResolution::V2, StateResolution::V2_1], state)
    }

    #[track_caller]
    fn where_it_is(self, algorithms: &[StateResolution], state: impl FnOnce(Self) -> Self) -> Self {
        if algorithms.contains(&self.version().state_resolution) { state(self) } else { self }
    }

    /// The finished vector. Whatever the sets do not agree on must have been stated, and every rejected event.
    #[track_caller]
    pub(super) fn vector(&self, scene: &str, says: &str) -> Vector {
        for key in self.contested_keys() {
            assert!(self.stated_keys.contains(key), "{scene} does not state {key:?}\n{}", self.telling());
        }
        let rejected = self.resolution.rejected();
        let rejected: BTreeSet<String> =
            rejected.map(|(id, why)| format!("{}: {}", self.script.room().name(id), why.name)).collect();
        assert_eq!(rejected, self.stated_rejections, "the rejected events of {scene}\n{}", self.telling());

        let question = self.script.room().ask_resolve(&self.state_sets);
        let version = self.version();
        let algorithm = super::algorithm(version);
        Vector {
            id: format!("resolution/{scene}/{algorithm}/room-version-{}", version.id),
            says: says.to_owned(),
            specification: Some(format!("rooms/v{}/#state-resolution", version.id)),
            answer: expected::answer(&question),
            question,
        }
    }

    /// The name of an event.
    pub(super) fn name(&self, event_id: &str) -> &str {
        self.script.room().name(event_id)
    }

    /// The keys under which not every set has the same event.
    fn contested_keys(&self) -> BTreeSet<&(String, String)> {
        let is_contested = |key: &&(String, String)| {
            let mut events = self.state_sets.iter().map(|state| state.get(*key));
            let first = events.next();
            events.any(|event| Some(event) != first)
        };
        self.state_sets.iter().flat_map(StateMap::keys).filter(is_contested).collect()
    }

    fn names<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> Vec<&str> {
        ids.into_iter().map(|id| self.script.room().name(id)).collect()
    }

    /// The trace of the oracle, with names instead of ids.
    pub(super) fn telling(&self) -> String {
        let names = self.script.room().names().iter();
        names.fold(self.resolution.to_string(), |telling, (id, name)| telling.replace(id, name))
    }
}
