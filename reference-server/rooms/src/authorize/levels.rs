//! The rules on `m.room.power_levels`.

use std::collections::BTreeSet;

use protocol::identifiers::UserId;
use protocol::room_version::PowerLevelForm;
use serde_json::Value;

use super::{Rule, reject, reject_if};
use crate::event::Pdu;
use crate::mistakes::{Mistake, mistaken};
use crate::power_levels::{Level, Power, PowerLevels, parse};

pub(super) fn check(event: &Pdu, current: &PowerLevels<'_>) -> Result<(), Rule> {
    check_values(event, current)?;
    if !current.exist() && !mistaken(Mistake::FirstLevelsChecked) {
        return Ok(());
    }
    let proposed = current.proposed(event);
    let deciding = if mistaken(Mistake::ChangeJudgedByProposedPower) { &proposed } else { current };
    let power = deciding.user(event.sender());
    let change = Change { current, proposed: &proposed, sender: event.sender(), power };
    change.check_levels()?;
    let with_notifications = event.version().checks_notification_levels
        && !mistaken(Mistake::NotificationLevelsNeverChecked)
        || mistaken(Mistake::NotificationLevelsAlwaysChecked);
    change.check_events_and_notifications(with_notifications)?;
    change.check_users()
}

/// Whether the content has the types that the room version wants.
fn check_values(event: &Pdu, current: &PowerLevels<'_>) -> Result<(), Rule> {
    let version = event.version();
    if version.power_levels == PowerLevelForm::Integer {
        let mut stated = Level::ALL.iter().filter_map(|level| event.content(level.name()));
        reject_if(!stated.all(is_integer), Rule::LevelsNotIntegers)?;
        let mut lists = ["events", "notifications"].into_iter().filter_map(|list| event.content(list));
        let are_integers = |list: &Value| list.as_object().is_some_and(|list| list.values().all(is_integer));
        reject_if(!lists.all(are_integers), Rule::LevelListsNotIntegers)?;
    }
    let Some(users) = event.content("users") else { return Ok(()) };
    let Some(users) = users.as_object() else { return reject(Rule::LevelsOfUsers) };
    let mut are_valid = users.iter().map(|(user_id, level)| {
        UserId::parse(user_id).is_ok() && parse(version.power_levels, level).is_some()
    });
    reject_if(!are_valid.all(|valid| valid), Rule::LevelsOfUsers)?;
    if version.privileged_creators {
        reject_if(current.creators().any(|creator| users.contains_key(creator)), Rule::LevelsOfCreators)?;
    }
    Ok(())
}

fn is_integer(value: &Value) -> bool {
    parse(PowerLevelForm::Integer, value).is_some()
}

/// A change of the power levels by a sender of some power.
struct Change<'a> {
    current: &'a PowerLevels<'a>,
    proposed: &'a PowerLevels<'a>,
    sender: &'a str,
    power: Power,
}

impl Change<'_> {
    fn check_levels(&self) -> Result<(), Rule> {
        for level in Level::ALL {
            let (old, new) = (self.current.own_level(level), self.proposed.own_level(level));
            if old != new || mistaken(Mistake::UnchangedLevelsChecked) {
                reject_if(self.is_above(old), Rule::LevelAbove)?;
                reject_if(self.is_above(new), Rule::LevelRaised)?;
            }
        }
        Ok(())
    }

    fn check_events_and_notifications(&self, with_notifications: bool) -> Result<(), Rule> {
        let mut alterations = self.alterations("events");
        if with_notifications {
            alterations.extend(self.alterations("notifications"));
        }
        let lowers = alterations.iter().any(|alteration| self.is_above(alteration.old));
        reject_if(lowers, Rule::ListedLevelAbove)?;
        let raises = alterations.iter().any(|alteration| self.is_above(alteration.new));
        reject_if(raises, Rule::ListedLevelRaised)
    }

    fn check_users(&self) -> Result<(), Rule> {
        let alterations = self.alterations("users");
        let touches_equal = alterations.iter().any(|alteration| {
            let is_own = alteration.name == self.sender && !mistaken(Mistake::OwnLevelProtected);
            !is_own && alteration.old.is_some_and(|old| self.is_not_below(old))
        });
        reject_if(touches_equal, Rule::UserLevelAbove)?;
        let raises = alterations.iter().any(|alteration| self.is_above(alteration.new));
        reject_if(raises, Rule::UserLevelRaised)
    }

    /// The entries of a list that differ between the two sides of the change.
    fn alterations(&self, list: &str) -> Vec<Alteration<'_>> {
        let old = self.current.names(list).filter(|_| !mistaken(Mistake::RemovedEntriesUnchecked));
        let new = self.proposed.names(list).filter(|_| !mistaken(Mistake::AddedEntriesUnchecked));
        let names: BTreeSet<_> = old.chain(new).collect();
        let alteration = |name| {
            let (old, new) = (self.current.listed(list, name), self.proposed.listed(list, name));
            (old != new).then_some(Alteration { name, old, new })
        };
        names.into_iter().filter_map(alteration).collect()
    }

    /// Whether the sender does not exceed the level of another user.
    fn is_not_below(&self, level: i64) -> bool {
        if mistaken(Mistake::EqualLevelChangeable) {
            return Power::Level(level) > self.power;
        }
        Power::Level(level) >= self.power
    }

    fn is_above(&self, level: Option<i64>) -> bool {
        level.is_some_and(|level| !self.power.reaches(level))
    }
}

/// An entry that was added, changed or removed.
struct Alteration<'a> {
    name: &'a str,
    old: Option<i64>,
    new: Option<i64>,
}
