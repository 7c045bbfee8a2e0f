//! Workload profiles: who there is, which rooms they share, and how often they do what.

mod contradiction;
mod journey;
mod plan;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{federation::Shape, operation::Operation};

pub use journey::{Journey, Step};
pub use plan::{Course, Shard, schedule};

/// The profiles that are part of the program, by name.
const PROFILES: [(&str, &str); 11] = [
    ("family", include_str!("../profiles/family.toml")),
    ("company-50", include_str!("../profiles/company-50.toml")),
    ("community-10k", include_str!("../profiles/community-10k.toml")),
    ("bridge-bot", include_str!("../profiles/bridge-bot.toml")),
    ("sync-storm", include_str!("../profiles/sync-storm.toml")),
    ("login-rush", include_str!("../profiles/login-rush.toml")),
    ("media", include_str!("../profiles/media.toml")),
    ("e2ee", include_str!("../profiles/e2ee.toml")),
    ("calls", include_str!("../profiles/calls.toml")),
    ("federation", include_str!("../profiles/federation.toml")),
    ("journeys", include_str!("../profiles/journeys.toml")),
];

/// A workload of one cell: a family, a company, a community. More users are more cells.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name; that of its file.
    #[serde(skip)]
    pub name: String,
    /// What it is, in a line.
    pub title: String,
    /// Where its figures come from.
    pub why: String,
    /// Its users.
    pub groups: Vec<Group>,
    /// Its rooms.
    pub rooms: Vec<RoomKind>,
    /// What users do, whether or not they have been answered.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// What users go through step by step, where they wait for each answer.
    #[serde(default)]
    pub journeys: Vec<Journey>,
    /// The scripted servers that federate with the one that is burdened, where there are any.
    #[serde(default)]
    pub servers: Option<Servers>,
}

/// Scripted servers. They are the same ones however many cells there are; what they do is of each in each cell.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Servers {
    /// How many there are.
    pub count: u32,
    /// How many requests of each may be under way or wait for their turn.
    #[serde(default = "sixteen")]
    pub lanes: u32,
    /// The shape that their events make.
    #[serde(default)]
    pub shape: Shape,
}

/// Users who behave alike.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What they are called.
    pub name: String,
    /// How many there are in a cell.
    pub count: u32,
    /// Whether each keeps a long-polling sync open.
    #[serde(default = "yes")]
    pub online: bool,
    /// How many requests of each may be under way at once, beside the sync. People do one thing at a time; bots do not.
    #[serde(default = "one")]
    pub lanes: u32,
    /// Whether their accounts are on another server, which federates with the one that is burdened.
    #[serde(default)]
    pub elsewhere: bool,
}

/// Rooms that are alike.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomKind {
    /// What they are called.
    pub name: String,
    /// How many there are in a cell.
    pub count: u32,
    /// How many of which group are in each.
    pub members: BTreeMap<String, u32>,
    /// Messages that are there before the run.
    #[serde(default)]
    pub history: u32,
    /// Whether it is only there to be joined and left.
    #[serde(default)]
    pub lobby: bool,
    /// Whether their members are invited, instead of everybody being let in. Calls need it: clients are advised to ignore
    /// calls in rooms that anybody may join (`client-server-api/#invitees`), and some servers refuse them.
    #[serde(default)]
    pub private: bool,
    /// How many scripted servers are in each.
    #[serde(default)]
    pub servers: u32,
}

/// What users of a group do, again and again.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// What they do.
    pub operation: Operation,
    /// Which group; without it, everybody.
    #[serde(default)]
    pub by: Option<String>,
    /// In which rooms; without it, in all of theirs that are no lobby.
    #[serde(default, rename = "in")]
    pub within: Option<String>,
    /// How often each of them does it.
    pub per_hour: f64,
    /// How the rate changes over the run.
    #[serde(default)]
    pub course: Course,
    /// Source or reason of the rate.
    pub why: String,
    /// Bytes of a message, an upload or a payload.
    #[serde(default)]
    pub bytes: Option<usize>,
    /// Messages in one transaction of a server.
    #[serde(default = "one")]
    pub events: u32,
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

fn sixteen() -> u32 {
    16
}

/// Why a text is no profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAProfile {
    /// There is none of this name.
    #[error("there is no profile `{0}`; choose one of: {list}, or give the path of a .toml file", list = Profile::names().join(", "))]
    Unknown(String),
    /// The file cannot be read or understood.
    #[error("the profile {name}: {problem}")]
    Malformed {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

impl Profile {
    /// The names of those that are part of the program.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        PROFILES.iter().map(|(name, _)| *name).collect()
    }

    /// A profile of the program by its name, or one from a file by its path.
    ///
    /// # Errors
    /// When there is none, or when it contradicts itself.
    pub fn find(name: &str) -> Result<Self, NotAProfile> {
        if let Some((name, text)) = PROFILES.iter().find(|(known, _)| *known == name) {
            return Self::parse(name, text);
        }
        if !name.ends_with(".toml") {
            return Err(NotAProfile::Unknown(name.to_owned()));
        }
        let unreadable = |error: std::io::Error| NotAProfile::Malformed {
            name: name.to_owned(),
            problem: error.to_string(),
        };
        Self::parse(name, &std::fs::read_to_string(name).map_err(unreadable)?)
    }

    fn parse(name: &str, text: &str) -> Result<Self, NotAProfile> {
        let malformed = |problem: String| NotAProfile::Malformed { name: name.to_owned(), problem };
        let mut profile: Profile = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        profile.name = name.trim_end_matches(".toml").rsplit('/').next().unwrap_or(name).to_owned();
        profile.act_journeys();
        profile.contradiction().map_or(Ok(profile), |problem| Err(malformed(problem)))
    }

    /// The place of the group that does an action; nothing where everybody does.
    #[must_use]
    pub fn group(&self, action: &Action) -> Option<usize> {
        let name = action.by.as_ref()?;
        self.groups.iter().position(|group| group.name == *name)
    }

    /// The kinds of rooms in which an action is done.
    #[must_use]
    pub fn kinds(&self, action: &Action) -> Vec<usize> {
        let fits = |kind: &RoomKind| action.within.as_ref().map_or(!kind.lobby, |name| kind.name == *name);
        (0..).zip(&self.rooms).filter(|(_, kind)| fits(kind)).map(|(place, _)| place).collect()
    }

    /// The series that a run of it has: its operations, and what follows from them.
    #[must_use]
    pub fn series(&self) -> Vec<String> {
        let mut series: Vec<&str> = Vec::new();
        for operation in self.actions.iter().map(|action| action.operation) {
            series.push(operation.name());
            series.extend(operation.delivery());
            series.extend(operation.followed_by());
            if operation == Operation::Send && self.servers.is_some() {
                series.push("delivery-outbound");
            }
        }
        let journeys = self.journeys.iter().map(crate::journey::series);
        let mut series: Vec<String> = series.into_iter().map(str::to_owned).chain(journeys).collect();
        series.sort_unstable();
        series.dedup();
        series
    }

    /// How many of the first so many users, cell after cell, are in a group, or in any.
    #[must_use]
    pub fn active_in(&self, group: Option<usize>, users: u32) -> usize {
        let Some(group) = group else { return users as usize };
        let (of_cell, in_group) = (self.users().max(1), self.groups[group].count);
        let before: u32 = self.groups[..group].iter().map(|group| group.count).sum();
        let in_last = (users % of_cell).saturating_sub(before).min(in_group);
        (users / of_cell * in_group + in_last) as usize
    }

    /// How many times an action's rate counts when so many users are active: once for each of them who does it, or for each
    /// scripted server.
    #[must_use]
    pub fn doing(&self, action: &Action, users: u32) -> usize {
        let servers = self.servers.as_ref().filter(|_| action.operation.is_of_servers());
        match servers {
            Some(servers) => (servers.count * users).div_ceil(self.users().max(1)) as usize,
            None => self.active_in(self.group(action), users),
        }
    }

    /// So many scripted servers. Rooms with all of them have all again, and no room has more.
    pub fn set_servers(&mut self, count: u32) {
        let Some(servers) = &mut self.servers else { return };
        for kind in &mut self.rooms {
            kind.servers = if kind.servers == servers.count { count } else { kind.servers.min(count) };
        }
        servers.count = count;
    }

    /// Whether anybody is a user of another server.
    #[must_use]
    pub fn is_spread(&self) -> bool {
        self.groups.iter().any(|group| group.elsewhere)
    }

    /// Users of one cell.
    #[must_use]
    pub fn users(&self) -> u32 {
        self.groups.iter().map(|group| group.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_profile_of_the_program_is_one() {
        for name in Profile::names() {
            let profile = Profile::find(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(profile.name, name);
            assert!(
                profile.actions.iter().all(|action| !action.why.is_empty()),
                "{name} has a rate without a reason"
            );
        }
    }

    #[test]
    fn servers_that_are_fewer_are_in_fewer_rooms() {
        let mut profile = Profile::find("federation").expect("a profile");
        let servers =
            |profile: &Profile| -> Vec<u32> { profile.rooms.iter().map(|kind| kind.servers).collect() };
        assert_eq!(servers(&profile), [4, 8, 0]);
        profile.set_servers(3);
        assert_eq!(servers(&profile), [3, 3, 0]);
        let send = profile.actions[0].clone();
        assert_eq!((profile.doing(&send, 20), profile.doing(&send, 60), profile.doing(&send, 10)), (3, 9, 2));
    }

    #[rstest]
    #[case("nobody")]
    #[case("/does/not/exist.toml")]
    fn what_is_no_profile_is_refused(#[case] name: &str) {
        assert!(Profile::find(name).is_err());
    }

    #[rstest]
    #[case("rooms = []\nactions = []\ngroups = []", "it has no users")]
    #[case(
        "groups = [{ name = \"a\", count = 1 }]\nrooms = [{ name = \"r\", count = 1, members = { b = 1 } }]\nactions = []",
        "no group `b`"
    )]
    #[case(
        "groups = [{ name = \"a\", count = 1 }]\nrooms = []\nactions = [{ operation = \"send\", in = \"r\", per_hour = 1, why = \"\" }]",
        "no room `r`"
    )]
    #[case(
        "groups = [{ name = \"a\", count = 1 }]\nrooms = []\nactions = [{ operation = \"backfill\", per_hour = 1, why = \"\" }]",
        "there are none"
    )]
    #[case(
        "groups = [{ name = \"a\", count = 1 }]\nrooms = [{ name = \"r\", count = 1, members = { a = 1 } }]\nservers = { count = 2 }\nactions = [{ operation = \"server-send\", per_hour = 1, why = \"\" }]",
        "in rooms that no server is in"
    )]
    #[case(
        "groups = [{ name = \"a\", count = 1 }]\nrooms = [{ name = \"r\", count = 1, members = { a = 1 }, servers = 3 }]\nservers = { count = 2 }\nactions = [{ operation = \"server-send\", per_hour = 1, why = \"\" }]",
        "3 of 2 servers"
    )]
    #[case(
        "groups = [{ name = \"a\", count = 1 }]\nrooms = [{ name = \"r\", count = 1, members = { a = 1 }, servers = 2 }]\nservers = { count = 2 }\nactions = [{ operation = \"server-send\", events = 51, per_hour = 1, why = \"\" }]",
        "51 events"
    )]
    fn contradictions_are_named(#[case] text: &str, #[case] problem: &str) {
        let error =
            Profile::parse("p", &format!("title = \"\"\nwhy = \"\"\n{text}")).expect_err("a contradiction");
        assert!(error.to_string().contains(problem), "{error}");
    }
}
