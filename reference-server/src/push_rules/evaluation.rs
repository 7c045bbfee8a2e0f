//! What a user's rules say of an event: client-server-api/#push-rules.

use serde_json::{Map, Value};

use super::{KINDS, Ruleset};
use crate::misbehave::{Fault, commits};
use crate::property_path;
use crate::rooms::event::Pdu;
use crate::rooms::power_levels::PowerLevels;
use crate::rooms::state::StateLookup;
use crate::timeline::StateAt;

/// An event that may notify somebody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    /// The event.
    pub(crate) event: &'a Pdu,
    /// The state of the room after it.
    pub(crate) state: StateAt<'a>,
    /// Whom it may notify.
    pub(crate) user_id: &'a str,
}

/// What happens because of an event that notifies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict<'a> {
    /// The actions of the rule that matches.
    pub(crate) actions: &'a [Value],
    /// Whether they highlight the event.
    pub(crate) highlights: bool,
}

impl Ruleset {
    /// What the first rule says that matches an event, if it is that the owner of the rules is notified.
    pub(crate) fn judge(&self, occasion: &Occasion<'_>) -> Option<Verdict<'_>> {
        let rules = KINDS.iter().flat_map(|kind| {
            let rules = self.0.get(*kind).and_then(Value::as_array).into_iter().flatten();
            rules.filter_map(Value::as_object).map(move |rule| (*kind, rule))
        });
        let (_, rule) = rules
            .filter(|(_, rule)| {
                rule.get("enabled") != Some(&Value::Bool(false)) || commits(Fault::DisabledRulesApply)
            })
            .find(|(kind, rule)| occasion.matches(kind, rule))?;
        let actions = rule.get("actions").and_then(Value::as_array)?;
        let highlight = actions.iter().find(|action| action["set_tweak"] == "highlight");
        let highlights = highlight.is_some_and(|action| action.get("value") != Some(&Value::Bool(false)));
        let notifies = |action: &Value| {
            action == "notify" || action.is_string() && commits(Fault::HistoricalActionsNotify)
        };
        actions.iter().any(notifies).then_some(Verdict { actions, highlights })
    }
}

impl Occasion<'_> {
    fn matches(&self, kind: &str, rule: &Map<String, Value>) -> bool {
        let says = |name: &str| rule.get(name).and_then(Value::as_str);
        match kind {
            "content" => says("pattern").is_some_and(|pattern| self.matches_glob("content.body", pattern)),
            "room" => says("rule_id") == Some(self.event.room_id()),
            "sender" => says("rule_id") == Some(self.event.sender()),
            _ => {
                let conditions = rule.get("conditions").and_then(Value::as_array).into_iter().flatten();
                conditions
                    .into_iter()
                    .all(|condition| self.meets(condition).unwrap_or(commits(Fault::UnknownConditionsMet)))
            }
        }
    }

    /// Whether a condition is met; an unknown or a misshapen one never is.
    fn meets(&self, condition: &Value) -> Option<bool> {
        let says = |name: &str| condition.get(name).and_then(Value::as_str);
        Some(match says("kind")? {
            "event_match" => self.matches_glob(says("key")?, says("pattern")?),
            "event_property_is" => {
                let (value, expected) = (self.property(says("key")?)?, condition.get("value")?);
                !value.is_object() && !value.is_array() && *value == *expected
            }
            "event_property_contains" => {
                self.property(says("key")?)?.as_array()?.contains(condition.get("value")?)
            }
            "contains_display_name" => {
                let member = self.state.find("m.room.member", self.user_id)?;
                let name = member.content_str("displayname").filter(|name| !name.is_empty())?;
                let body = self.event.content_str("body")?;
                Glob::literal(name).matches_words(body)
            }
            "room_member_count" => self.has_members(says("is")?)?,
            "sender_notification_permission" => {
                let levels = PowerLevels::of(self.event.version(), &self.state);
                commits(Fault::RoomMentionsByAnybody)
                    || levels.user(self.event.sender()).reaches(levels.notification(says("key")?))
            }
            _ => return None,
        })
    }

    fn property(&self, path: &str) -> Option<&Value> {
        property_path::find(self.event.object(), path)
    }

    fn matches_glob(&self, path: &str, pattern: &str) -> bool {
        let text = match path {
            // Not every room version has these in the event itself.
            "room_id" => Some(self.event.room_id()),
            "event_id" => Some(self.event.event_id()),
            _ => self.property(path).and_then(Value::as_str),
        };
        let glob = Glob::parse(pattern);
        text.is_some_and(|text| {
            if path == "content.body" && !commits(Fault::WordsMatchedAnywhere) {
                glob.matches_words(text)
            } else {
                glob.matches(text)
            }
        })
    }

    /// Whether the number of members is as a comparison such as `>=2` says.
    fn has_members(&self, comparison: &str) -> Option<bool> {
        let number = comparison.trim_start_matches(['=', '<', '>']);
        let expected: usize = number.parse().ok()?;
        let joined = self.state.of_type("m.room.member");
        let joined = joined.filter(|member| member.content_str("membership") == Some("join"));
        // One more than expected settles every comparison.
        let members = joined.take(expected.saturating_add(1)).count();
        Some(match &comparison[..comparison.len() - number.len()] {
            "" | "==" => members == expected,
            "<" => members < expected,
            ">" => members > expected,
            "<=" => members <= expected,
            ">=" => members >= expected,
            _ => return None,
        })
    }
}

/// A pattern that ignores case (appendices/#glob-style-matching).
struct Glob(Vec<Piece>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Any characters, also none.
    Any,
    /// Any one character.
    One,
    /// This one.
    Character(char),
}

impl Glob {
    fn parse(pattern: &str) -> Self {
        Self(
            lower(pattern)
                .map(|character| match character {
                    '*' => Piece::Any,
                    '?' => Piece::One,
                    other => Piece::Character(other),
                })
                .collect(),
        )
    }

    fn literal(text: &str) -> Self {
        Self(lower(text).map(Piece::Character).collect())
    }

    /// Whether the whole text matches.
    fn matches(&self, text: &str) -> bool {
        let text: Vec<_> = lower(text).collect();
        self.run(&text, |at| at == 0, |at| at == text.len())
    }

    /// Whether some part of the text matches that begins and ends at a word boundary.
    fn matches_words(&self, text: &str) -> bool {
        let text: Vec<_> = lower(text).collect();
        let is_word = |at: usize| text.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_');
        let boundary = |at: usize| at == 0 || !is_word(at - 1) || !is_word(at);
        self.run(&text, boundary, boundary)
    }

    /// Reads the text once, following every way to match that may begin or end at these places.
    fn run(&self, text: &[char], begins: impl Fn(usize) -> bool, ends: impl Fn(usize) -> bool) -> bool {
        let Self(pieces) = self;
        // Whether the pieces up to an index have been matched by what was read.
        let mut matched = vec![false; pieces.len() + 1];
        for at in 0..=text.len() {
            matched[0] |= begins(at);
            for (index, piece) in pieces.iter().enumerate() {
                if *piece == Piece::Any && matched[index] {
                    matched[index + 1] = true;
                }
            }
            if matched[pieces.len()] && ends(at) {
                return true;
            }
            let Some(character) = text.get(at) else { break };
            let mut next = vec![false; matched.len()];
            for (index, piece) in pieces.iter().enumerate().filter(|(index, _)| matched[*index]) {
                match piece {
                    Piece::Any => next[index] = true,
                    Piece::One => next[index + 1] = true,
                    Piece::Character(expected) if expected == character => next[index + 1] = true,
                    Piece::Character(_) => {}
                }
            }
            matched = next;
        }
        false
    }
}

fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use protocol::RoomVersion;
    use rstest::rstest;
    use serde_json::{Map, Value, json};

    use super::{Glob, Occasion};
    use crate::push_rules::{Rank, Ruleset};
    use crate::rooms::event::Pdu;
    use crate::timeline::History;

    const ALICE: &str = "@alice:a.example";

    fn event(event_type: &str, sender: &str, state_key: Option<&str>, content: Value) -> Pdu {
        let mut event = json!({"type": event_type, "sender": sender, "room_id": "!room:a.example",
            "content": content, "prev_events": [], "auth_events": []});
        if let Some(state_key) = state_key {
            event["state_key"] = state_key.into();
        }
        let (Value::Object(event), Some(version)) = (event, RoomVersion::find("11")) else {
            unreachable!("an object and a room version")
        };
        Pdu::with_id("$event".to_owned(), event, version).expect("an event")
    }

    fn judge(rules: &Ruleset, event: &Pdu) -> Option<bool> {
        let mut history = History::default();
        for (position, user_id) in [(1, ALICE), (2, "@bob:a.example"), (3, "@eve:a.example")] {
            let content = json!({"membership": "join", "displayname": "Alice in Chains"});
            let member = super::tests::event("m.room.member", user_id, Some(user_id), content);
            history.record(position, ("m.room.member", user_id), Some(&member));
        }
        let levels = json!({"users": {"@bob:a.example": 50}});
        let levels = super::tests::event("m.room.power_levels", ALICE, Some(""), levels);
        history.record(4, ("m.room.power_levels", ""), Some(&levels));
        let occasion = Occasion { event, state: history.now(), user_id: ALICE };
        rules.judge(&occasion).map(|verdict| verdict.highlights)
    }

    fn message(sender: &str, content: Value) -> Pdu {
        event("m.room.message", sender, None, content)
    }

    #[rstest]
    #[case::text("@eve:a.example", json!({"msgtype": "m.text", "body": "hello"}), Some(false))]
    #[case::notice("@eve:a.example", json!({"msgtype": "m.notice", "body": "hello"}), None)]
    #[case::mention("@eve:a.example", json!({"m.mentions": {"user_ids": [ALICE]}}), Some(true))]
    #[case::other_mention("@eve:a.example", json!({"m.mentions": {"user_ids": ["@x:a.example"]}}), Some(false))]
    #[case::room_mention("@bob:a.example", json!({"m.mentions": {"room": true}}), Some(true))]
    #[case::room_mention_without_power("@eve:a.example", json!({"m.mentions": {"room": true}}), Some(false))]
    #[case::edit("@eve:a.example", json!({"m.relates_to": {"rel_type": "m.replace"}}), None)]
    fn predefined_rules_judge_messages(
        #[case] sender: &str,
        #[case] content: Value,
        #[case] expected: Option<bool>,
    ) {
        assert_eq!(judge(&Ruleset::predefined(ALICE), &message(sender, content)), expected);
    }

    #[rstest]
    #[case("m.room.topic", Some(""), None)]
    #[case("m.room.tombstone", Some(""), Some(true))]
    #[case("m.reaction", None, None)]
    #[case("m.room.encrypted", None, Some(false))]
    #[case("m.call.invite", None, Some(false))]
    fn predefined_rules_judge_types(
        #[case] event_type: &str,
        #[case] state_key: Option<&str>,
        #[case] expected: Option<bool>,
    ) {
        let event = event(event_type, "@bob:a.example", state_key, json!({}));
        assert_eq!(judge(&Ruleset::predefined(ALICE), &event), expected);
    }

    #[rstest]
    #[case("content", json!({"rule_id": "r", "pattern": "ex*ple"}), Some(true))]
    #[case("content", json!({"rule_id": "r", "pattern": "exam"}), Some(false))]
    #[case("room", json!({"rule_id": "!room:a.example"}), Some(true))]
    #[case("sender", json!({"rule_id": "@eve:a.example"}), Some(true))]
    #[case("sender", json!({"rule_id": "@bob:a.example"}), Some(false))]
    #[case("override", json!({"rule_id": "r", "conditions": [{"kind": "room_member_count", "is": ">2"}]}), Some(true))]
    #[case("override", json!({"rule_id": "r", "conditions": [{"kind": "room_member_count", "is": "<=2"}]}), Some(false))]
    #[case("override", json!({"rule_id": "r", "conditions": [{"kind": "contains_display_name"}]}), Some(true))]
    #[case("override", json!({"rule_id": "r", "conditions": [{"kind": "unheard_of"}]}), Some(false))]
    #[case("override", json!({"rule_id": "r", "conditions": [], "enabled": false}), Some(false))]
    fn own_rules_come_first(
        #[case] kind: &str,
        #[case] rule: Value,
        #[case] expected: Option<bool>,
    ) -> Result<(), crate::error::MatrixError> {
        let Value::Object(mut rule) = rule else { unreachable!("cases are objects") };
        rule.insert("actions".to_owned(), json!(["notify", {"set_tweak": "highlight"}]));
        let mut rules = Ruleset::predefined(ALICE);
        rules.set(kind, Map::clone(&rule), Rank::First)?;
        let event = message("@eve:a.example", json!({"body": "An Example, alice in chains"}));
        assert_eq!(judge(&rules, &event), expected);
        Ok(())
    }

    #[rstest]
    #[case("lunc?*", "Lunch plans", true)]
    #[case("lunc?*", "LUNCH", true)]
    #[case("lunc?*", " lunch", false)]
    #[case("lunc?*", "lunc", false)]
    #[case("*", "", true)]
    #[case("a*b*c", "aXbXbXc", true)]
    fn whole_values_match(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(Glob::parse(pattern).matches(text), expected);
    }

    #[rstest]
    #[case("ex*ple", "An example event.", true)]
    #[case("ex*ple", "exple", true)]
    #[case("ex*ple", "An exciting triple-whammy", true)]
    #[case("ample", "An example event.", false)]
    #[case("alice", "alice_b", false)]
    #[case("alice", "(Alice)", true)]
    fn words_match_within_a_body(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(Glob::parse(pattern).matches_words(text), expected);
    }
}
