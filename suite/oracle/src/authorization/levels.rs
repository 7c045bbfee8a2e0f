//! "If type is `m.room.power_levels`": what a change of the power levels needs.

use std::collections::{BTreeMap, BTreeSet};

use protocol::identifiers::UserId;
use protocol::room_version::PowerLevelForm;
use serde_json::Value;

use super::{Case, Flow};
use crate::event::Event;
use crate::power_levels::{Level, creators, read_level};
use crate::rule::Rule;

const LEVELS: [&str; 7] =
    ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"];

/// One name under which a level was added, changed or removed.
struct Alteration {
    name: String,
    current: Option<Level>,
    new: Option<Level>,
}

impl Case<'_> {
    pub(super) fn power_levels(&self) -> Flow {
        if self.version.power_levels == PowerLevelForm::Integer {
            self.levels_are_integers()?;
        }
        self.users_are_well_formed()?;
        if self.version.privileged_creators {
            self.users_are_no_creators()?;
        }
        let Some(previous) = self.state.get("m.room.power_levels", "") else {
            return self.allow(Rule::FirstLevels);
        };
        self.properties(previous)?;
        self.event_levels(previous)?;
        self.user_levels(previous)?;
        self.allow(Rule::LevelsAllowed)
    }

    fn levels_are_integers(&self) -> Flow {
        let is_integer = |value: &Value| read_level(self.version, value).is_some();
        for name in LEVELS {
            let breaks = self.event.content(name).is_some_and(|value| !is_integer(value));
            self.reject_if(Rule::LevelsNotIntegers, breaks, format!("{name} is no integer"))?;
        }
        for name in ["events", "notifications"] {
            let are_integers =
                |map: &Value| map.as_object().is_some_and(|entries| entries.values().all(is_integer));
            let breaks = self.event.content(name).is_some_and(|map| !are_integers(map));
            let why = format!("{name} is no object of integers");
            self.reject_if(Rule::EventLevelsNotIntegers, breaks, why)?;
        }
        Flow::Continue(())
    }

    // Choice: power levels without `users` pass. "Is not an object" could be said of a missing property as
    // well, but the property is optional (client-server-api/#mroompower_levels).
    fn users_are_well_formed(&self) -> Flow {
        let Some(users) = self.event.content("users") else { return Flow::Continue(()) };
        let is_entry = |(user_id, value): (&String, &Value)| {
            UserId::parse(user_id).is_ok() && read_level(self.version, value).is_some()
        };
        self.reject_if(
            Rule::UserLevelsMalformed,
            !users.as_object().is_some_and(|users| users.iter().all(is_entry)),
            "users is no object of levels by user id",
        )
    }

    fn users_are_no_creators(&self) -> Flow {
        let users = self.event.content("users").and_then(Value::as_object);
        for creator in self.create.map(|create| creators(self.version, create)).unwrap_or_default() {
            let is_named = users.is_some_and(|users| users.contains_key(creator));
            self.reject_if(Rule::UserLevelsNameCreators, is_named, format!("users names {creator}"))?;
        }
        Flow::Continue(())
    }

    fn properties(&self, previous: &Event) -> Flow {
        for name in LEVELS {
            let level = |event: &Event| read_level(self.version, event.content(name)?);
            let alteration =
                Alteration { name: name.to_owned(), current: level(previous), new: level(self.event) };
            if alteration.is_one() {
                self.not_above_sender(Rule::LevelsCurrent, &alteration.name, alteration.current)?;
                self.not_above_sender(Rule::LevelsNew, &alteration.name, alteration.new)?;
            }
        }
        Flow::Continue(())
    }

    fn event_levels(&self, previous: &Event) -> Flow {
        let mut alterations = self.alterations("events", previous);
        if self.version.checks_notification_levels {
            alterations.extend(self.alterations("notifications", previous));
        }
        for Alteration { name, current, .. } in &alterations {
            self.not_above_sender(Rule::EventLevelsCurrent, name, *current)?;
        }
        for Alteration { name, new, .. } in &alterations {
            self.not_above_sender(Rule::EventLevelsNew, name, *new)?;
        }
        Flow::Continue(())
    }

    fn user_levels(&self, previous: &Event) -> Flow {
        let alterations = self.alterations("users", previous);
        for Alteration { name, current, .. } in &alterations {
            let reaches_sender = current.is_some_and(|current| current >= self.sender_level());
            self.reject_if(
                Rule::UserLevelsCurrent,
                name != self.event.sender() && reaches_sender,
                format!("the level of {name} is not below the sender's"),
            )?;
        }
        for Alteration { name, new, .. } in &alterations {
            self.not_above_sender(Rule::UserLevelsNew, name, *new)?;
        }
        Flow::Continue(())
    }

    // Choice: what was added has no current value, and what was removed no new one, so nothing is compared
    // then; the defaults in force are no values (rooms/v1/#authorisation-rules, rule 10.3).
    fn not_above_sender(&self, rule: Rule, name: &str, level: Option<Level>) -> Flow {
        let Some(level) = level else { return Flow::Continue(()) };
        let why = format!("{name} is {level}, the sender has {}", self.sender_level());
        self.reject_if(rule, level > self.sender_level(), why)
    }

    fn alterations(&self, map: &str, previous: &Event) -> Vec<Alteration> {
        let levels = |event: &Event| -> BTreeMap<String, Level> {
            let entries = event.content(map).and_then(Value::as_object);
            let read =
                |(name, value): (&String, &Value)| Some((name.clone(), read_level(self.version, value)?));
            entries.into_iter().flatten().filter_map(read).collect()
        };
        let (current, new) = (levels(previous), levels(self.event));
        let names: BTreeSet<&String> = current.keys().chain(new.keys()).collect();
        let alteration = |name: &String| Alteration {
            name: name.clone(),
            current: current.get(name).copied(),
            new: new.get(name).copied(),
        };
        names.into_iter().map(alteration).filter(Alteration::is_one).collect()
    }
}

impl Alteration {
    // Choice: a level that is only spelled differently, `"50"` for `50` or `50.57`, is not changed
    // (rooms/v1/#deprecated-event-content-schemas calls such levels effectively the same).
    fn is_one(&self) -> bool {
        self.current != self.new
    }
}
