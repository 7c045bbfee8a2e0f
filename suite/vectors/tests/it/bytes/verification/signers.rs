//! Which servers must have signed.

use super::*;

pub(super) fn vectors() -> Vec<Vector> {
    [event_ids(), authorisers(), third_parties()].into_iter().flatten().collect()
}

/// In room versions 1 and 2, the server of the event id signs too.
fn event_ids() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "2"] {
        let mut event = message(version);
        event["event_id"] = json!("$event:other.example");
        let by = |servers: &[&str]| signed(version, event.clone(), servers);
        let mut badly = by(&[HOME, OTHER]);
        *signature_of(&mut badly, OTHER, KEY) = bad_signature();
        let cases = [
            ("both", "The servers of sender and event id have signed.", by(&[HOME, OTHER]), Intact),
            ("sender-only", "The server of the event id must sign.", by(&[HOME]), Invalid),
            ("event-id-only", "The sender's server must sign.", by(&[OTHER]), Invalid),
            ("badly", "The signature by the server of the event id must fit.", badly, Invalid),
        ];
        let cases = cases.into_iter().map(|(name, says, event, verdict)| {
            vector(version, &format!("event-id-server/{name}"), says, &event, both_keys(), verdict)
        });
        vectors.extend(cases);
    }
    vectors
}

/// Since room version 8, the server of the user who authorised a restricted join signs too.
fn authorisers() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["7", "8", "9", "11", "12"] {
        let event = member(
            version,
            "@alice:example.org",
            json!({
                "membership": "join", "join_authorised_via_users_server": "@bob:other.example",
            }),
        );
        let without = if version == "7" { Intact } else { Invalid };
        let cases = [
            ("both", "The servers of sender and authoriser have signed.", [HOME, OTHER].as_slice(), Intact),
            ("sender-only", "The authoriser's server must sign since room version 8.", &[HOME], without),
            ("authoriser-only", "The sender's server must sign.", &[OTHER], Invalid),
        ];
        let cases = cases.into_iter().map(|(name, says, servers, verdict)| {
            let event = signed(version, event.clone(), servers);
            vector(version, &format!("authoriser/{name}"), says, &event, both_keys(), verdict)
        });
        vectors.extend(cases);
    }
    vectors
}

/// The sender's server need not sign the invite of a third party.
fn third_parties() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "6", "11", "12"] {
        let invite = |content: Value| {
            let mut event = member(version, "@bob:other.example", content);
            if version == "1" {
                event["event_id"] = json!("$event:other.example");
            }
            signed(version, event, &[OTHER])
        };
        let signed = json!({"mxid": "@bob:other.example", "token": "t", "signatures": {}});
        let third_party = invite(json!({
            "membership": "invite", "third_party_invite": {"display_name": "b", "signed": signed},
        }));
        let says = "The server that sends the invite of a third party has signed.";
        vectors.push(vector(version, "third-party-invite", says, &third_party, both_keys(), Intact));
        let says = "The sender's server must sign any other invite.";
        let plain = invite(json!({"membership": "invite"}));
        vectors.push(vector(version, "invite-by-another", says, &plain, both_keys(), Invalid));
    }
    vectors
}

fn member(version: &str, state_key: &str, content: Value) -> Value {
    let mut event = message(version);
    event["type"] = json!("m.room.member");
    event["state_key"] = json!(state_key);
    event["content"] = content;
    event
}
