//! "If type is `m.room.redaction`", in room versions 1 and 2, and what is left of it later.

use oracle::Rule::*;
use serde_json::json;
use vectors::Draft;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{BOB, Scene, object};

/// An event of the sender's server.
const OWN: &str = "$own:b.example";
/// An event of another server.
const OTHER: &str = "$other:c.example";

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leaf(RedactionLevel)
            .accepted("The sender is at the redact level.", RedactionLevel, |s| {
                redacts(s.levels(json!({"redact": 50})), OTHER)
            })
            .rejected("The sender is one below the redact level.", RedactionOtherwise, |s| {
                redacts(s.levels(json!({"redact": 51})), OTHER)
            })
            .variant("default", "Without a redact level, it is 50.", Allowed(RedactionLevel), |s| {
                redacts(s, OTHER)
            })
            .variant("string", "The redact level is a string.", Allowed(RedactionLevel), |s| {
                redacts(s.levels(json!({"redact": " 50"})), OTHER)
            })
            .variant("string-above", "The redact level is a string.", Rejected(RedactionOtherwise), |s| {
                redacts(s.levels(json!({"redact": " 51"})), OTHER)
            })
            .variant(
                "below-default",
                "Without a redact level, 49 do not suffice.",
                Rejected(RedactionOtherwise),
                |s| redacts(s.levels(json!({"users": {BOB: 49}})), OTHER),
            ),
        leaf(RedactionDomain)
            .accepted("The redacted event is of the redaction's domain.", RedactionDomain, |s| {
                redacts(s.levels(json!({"redact": 51})), OWN)
            })
            .rejected("The redacted event is of another domain.", RedactionOtherwise, |s| {
                redacts(s.levels(json!({"redact": 51})), OTHER)
            })
            .variant(
                "of-the-id",
                "The domain is that of the event id, not of the sender.",
                Allowed(RedactionDomain),
                |s| {
                    let redaction = redacts(s.levels(json!({"redact": 51})), OTHER);
                    of_id(redaction, "$redaction:c.example")
                },
            )
            .variant(
                "not-of-the-sender",
                "The sender's domain does not count.",
                Rejected(RedactionOtherwise),
                |s| {
                    let redaction = redacts(s.levels(json!({"redact": 51})), OWN);
                    of_id(redaction, "$redaction:c.example")
                },
            )
            .variant("other-port", "A port is part of the domain.", Rejected(RedactionOtherwise), |s| {
                redacts(s.levels(json!({"redact": 51})), "$own:b.example:8448")
            }),
        leaf(RedactionOtherwise)
            .rejected("Neither level nor domain suffice.", RedactionOtherwise, |s| {
                redacts(s.levels(json!({"redact": 100})), OTHER)
            })
            .accepted("The domain suffices.", RedactionDomain, |s| {
                redacts(s.levels(json!({"redact": 100})), OWN)
            })
            .variant(
                "required",
                "A redaction needs the level of its type before all.",
                Rejected(RequiredPowerLevel),
                |s| redacts(s.levels(json!({"events": {"m.room.redaction": 51}})), OWN),
            ),
        leaf(Otherwise)
            .variant("redaction", "The redact level is no matter.", Allowed(Otherwise), |s| {
                redacts(s.levels(json!({"redact": 100})), OTHER)
            })
            .only(|version| !version.redaction_is_authorized)
            .variant(
                "redaction-level",
                "A redaction needs the level of its type.",
                Rejected(RequiredPowerLevel),
                |s| redacts(s.levels(json!({"events": {"m.room.redaction": 51}, "redact": 0})), OWN),
            )
            .only(|version| !version.redaction_is_authorized),
    ]
}

/// Bob redacts an event.
fn redacts(s: &Scene, event_id: &'static str) -> Draft<'static> {
    if s.version().redacts_in_content {
        return s.event(BOB, "m.room.redaction", None, json!({"redacts": event_id}));
    }
    Draft { with: object(json!({"redacts": event_id})), ..s.event(BOB, "m.room.redaction", None, json!({})) }
}

/// The redaction with another id, signed by the server of the id as well.
fn of_id(draft: Draft<'static>, event_id: &'static str) -> Draft<'static> {
    let with = draft.with.into_iter().chain(object(json!({"event_id": event_id})));
    Draft { with: with.collect(), signers: vec!["b.example", "c.example"], ..draft }
}
