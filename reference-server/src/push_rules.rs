//! Push rules: the rules that every account begins with, and changing them.
//!
//! client-server-api/#push-rules

mod evaluation;

use serde_json::{Map, Value, json};

pub(crate) use self::evaluation::{Occasion, Verdict};
use crate::error::MatrixError;
use crate::misbehave::{Fault, commits};

/// The account data that holds a user's rules.
pub(crate) const TYPE: &str = "m.push_rules";

/// The kinds of rules, the most important first.
pub(crate) const KINDS: [&str; 5] = ["override", "content", "room", "sender", "underride"];

/// The rules of a user: for each kind a list, the most important rule first.
#[derive(Debug, Clone)]
pub(crate) struct Ruleset(Map<String, Value>);

/// Where a new rule goes among the user's own of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Before all others.
    First,
    /// Just before this one.
    Before(String),
    /// Just after this one.
    After(String),
}

impl Ruleset {
    /// The rules that everybody begins with (client-server-api/#predefined-rules).
    pub(crate) fn predefined(user_id: &str) -> Self {
        let mut rules = Map::new();
        for kind in KINDS {
            rules.insert(kind.to_owned(), json!([]));
        }
        rules.insert("override".to_owned(), overriding(user_id));
        rules.insert("underride".to_owned(), underriding());
        Self(rules)
    }

    /// The rules in the content of account data; the predefined ones where there are none.
    pub(crate) fn read(content: Option<Value>, user_id: &str) -> Self {
        match content.and_then(|mut content| content.get_mut("global").map(Value::take)) {
            Some(Value::Object(rules)) => Self(rules),
            _ => Self::predefined(user_id),
        }
    }

    /// As the content of account data.
    pub(crate) fn content(&self) -> Value {
        json!({"global": self.0})
    }

    /// As the answer to a question for the global rules.
    pub(crate) fn global(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// One rule.
    pub(crate) fn find(&self, kind: &str, rule_id: &str) -> Result<&Map<String, Value>, MatrixError> {
        let rules = self.0.get(kind).and_then(Value::as_array);
        let rule = rules.into_iter().flatten().find(|rule| rule["rule_id"] == rule_id);
        rule.and_then(Value::as_object).ok_or_else(unknown)
    }

    /// Changes a field of a rule.
    pub(crate) fn change(
        &mut self,
        kind: &str,
        rule_id: &str,
        field: &str,
        value: Value,
    ) -> Result<(), MatrixError> {
        let rules = self.kind_mut(kind)?;
        let rule = rules.iter_mut().find(|rule| rule["rule_id"] == rule_id).ok_or_else(unknown)?;
        rule[field] = value;
        Ok(())
    }

    /// Adds a rule of the user's own, or puts it in the place of the one with its id; that one's being
    /// enabled stays.
    pub(crate) fn set(
        &mut self,
        kind: &str,
        mut rule: Map<String, Value>,
        rank: Rank,
    ) -> Result<(), MatrixError> {
        let rules = self.kind_mut(kind)?;
        let place = |rules: &[Value], rule_id: &str| {
            let found = rules.iter().position(|rule| rule["rule_id"] == rule_id);
            found.ok_or_else(|| MatrixError::unknown(format!("there is no rule {rule_id} of this kind")))
        };
        let rule_id = rule.get("rule_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let old = place(rules, &rule_id).ok();
        // Looked up before anything is removed: a rank may name the rule itself.
        if let Rank::Before(other) | Rank::After(other) = &rank {
            place(rules, other)?;
        }
        if let Some(old) = old {
            let enabled = rules.remove(old)["enabled"].take();
            rule.insert("enabled".to_owned(), enabled);
        }
        let at = match (&rank, old) {
            (Rank::First, Some(old)) => old,
            (Rank::First, None) => {
                if commits(Fault::NewRulesLast) {
                    rules.len()
                } else {
                    rules.iter().take_while(|rule| rule["rule_id"] == ".m.rule.master").count()
                }
            }
            (Rank::Before(other), _) => {
                place(rules, other).unwrap_or(0) + usize::from(commits(Fault::RulesBeforeComeAfter))
            }
            (Rank::After(other), _) => place(rules, other)
                .map_or(0, |other| other + usize::from(!commits(Fault::RulesAfterComeBefore))),
        };
        rules.insert(at, Value::Object(rule));
        Ok(())
    }

    /// Removes a rule of the user's own.
    pub(crate) fn remove(&mut self, kind: &str, rule_id: &str) -> Result<(), MatrixError> {
        let rules = self.kind_mut(kind)?;
        let at = rules.iter().position(|rule| rule["rule_id"] == rule_id).ok_or_else(unknown)?;
        rules.remove(at);
        Ok(())
    }

    fn kind_mut(&mut self, kind: &str) -> Result<&mut Vec<Value>, MatrixError> {
        self.0.get_mut(kind).and_then(Value::as_array_mut).ok_or_else(unknown)
    }
}

fn unknown() -> MatrixError {
    MatrixError::not_found("there is no such push rule")
}

fn overriding(user_id: &str) -> Value {
    let sound = json!({"set_tweak": "sound", "value": "default"});
    let highlight = json!({"set_tweak": "highlight"});
    let is = |key: &str, pattern: &str| json!({"kind": "event_match", "key": key, "pattern": pattern});
    let mut master = predefined(".m.rule.master", json!([]), json!([]));
    master["enabled"] = false.into();
    let mention = json!([{
        "kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": user_id,
    }]);
    let room_mention = json!([
        {"kind": "event_property_is", "key": "content.m\\.mentions.room", "value": true},
        {"kind": "sender_notification_permission", "key": "room"},
    ]);
    let edit = json!([{"kind": "event_property_is", "key": "content.m\\.relates_to.rel_type", "value": "m.replace"}]);
    let invite =
        json!([is("type", "m.room.member"), is("content.membership", "invite"), is("state_key", user_id)]);
    json!([
        master,
        predefined(".m.rule.suppress_notices", json!([is("content.msgtype", "m.notice")]), json!([])),
        predefined(".m.rule.invite_for_me", invite, json!(["notify", sound])),
        predefined(".m.rule.member_event", json!([is("type", "m.room.member")]), json!([])),
        predefined(".m.rule.is_user_mention", mention, json!(["notify", sound, highlight])),
        predefined(".m.rule.is_room_mention", room_mention, json!(["notify", highlight])),
        predefined(
            ".m.rule.tombstone",
            json!([is("type", "m.room.tombstone"), is("state_key", "")]),
            json!(["notify", highlight])
        ),
        predefined(".m.rule.reaction", json!([is("type", "m.reaction")]), json!([])),
        predefined(
            ".m.rule.room.server_acl",
            json!([is("type", "m.room.server_acl"), is("state_key", "")]),
            json!([])
        ),
        predefined(".m.rule.suppress_edits", edit, json!([])),
    ])
}

fn underriding() -> Value {
    let is = |event_type: &str| json!({"kind": "event_match", "key": "type", "pattern": event_type});
    let two = json!({"kind": "room_member_count", "is": "2"});
    let sounds = |sound: &str| json!(["notify", {"set_tweak": "sound", "value": sound}]);
    json!([
        predefined(".m.rule.call", json!([is("m.call.invite")]), sounds("ring")),
        predefined(
            ".m.rule.encrypted_room_one_to_one",
            json!([two, is("m.room.encrypted")]),
            sounds("default")
        ),
        predefined(".m.rule.room_one_to_one", json!([two, is("m.room.message")]), sounds("default")),
        predefined(".m.rule.message", json!([is("m.room.message")]), json!(["notify"])),
        predefined(".m.rule.encrypted", json!([is("m.room.encrypted")]), json!(["notify"])),
    ])
}

fn predefined(rule_id: &str, conditions: Value, actions: Value) -> Value {
    json!({
        "rule_id": rule_id, "default": true, "enabled": true, "conditions": conditions, "actions": actions,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Rank, Ruleset};
    use crate::error::MatrixError;

    fn rule(rule_id: &str) -> Map<String, Value> {
        let fields = [("rule_id", json!(rule_id)), ("enabled", json!(true))];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn ids(rules: &Ruleset, kind: &str) -> Vec<String> {
        let rules = rules.0.get(kind).and_then(Value::as_array);
        rules.into_iter().flatten().filter_map(|rule| rule["rule_id"].as_str()).map(str::to_owned).collect()
    }

    #[test]
    fn own_rules_go_where_they_are_put() -> Result<(), MatrixError> {
        let mut rules = Ruleset::predefined("@alice:example.org");
        rules.set("override", rule("a"), Rank::First)?;
        rules.set("override", rule("b"), Rank::First)?;
        rules.set("override", rule("c"), Rank::After("b".to_owned()))?;
        rules.set("override", rule("a"), Rank::Before("b".to_owned()))?;
        assert_eq!(
            &ids(&rules, "override")[..5],
            [".m.rule.master", "a", "b", "c", ".m.rule.suppress_notices"]
        );
        rules.remove("override", "b")?;
        assert_eq!(&ids(&rules, "override")[1..3], ["a", "c"]);
        assert!(rules.set("override", rule("d"), Rank::After("none".to_owned())).is_err());
        Ok(())
    }

    #[test]
    fn a_rule_that_is_set_again_stays_disabled() -> Result<(), MatrixError> {
        let mut rules = Ruleset::predefined("@alice:example.org");
        rules.set("room", rule("!room"), Rank::First)?;
        rules.change("room", "!room", "enabled", json!(false))?;
        rules.set("room", rule("!room"), Rank::First)?;
        assert_eq!(rules.find("room", "!room")?.get("enabled"), Some(&json!(false)));
        Ok(())
    }
}
