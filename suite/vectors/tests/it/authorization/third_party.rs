//! "If `content` has a `third_party_invite` property".

use oracle::Rule::*;
use protocol::{base64, signatures};
use serde_json::{Value, json};
use vectors::Draft;
use vectors::room::server_key;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, BOB, CAROL, DAVE, Scene, object};

/// The token of the offer.
const TOKEN: &str = "token";
/// Whose key the offer names first.
const IDENTITY_SERVER: &str = "identity.example";
/// Whose key stands in the list of keys.
const SECOND_SERVER: &str = "second.example";
/// Whose key the offer does not name.
const STRANGER: &str = "stranger.example";

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leaf(ThirdPartyBanned)
            .rejected("A banned user is invited by proof.", ThirdPartyBanned, |s| {
                redeems(s.banned(CAROL), &proof(CAROL))
            })
            .accepted("A user is invited by proof whose ban was lifted.", ThirdPartySignature, |s| {
                redeems(s.banned(CAROL).kicked(CAROL), &proof(CAROL))
            }),
        leaf(ThirdPartyUnsigned)
            .rejected("There is nothing signed.", ThirdPartyUnsigned, |s| {
                redeems(s, &json!({"display_name": "c…"}))
            })
            .accepted("There is something signed.", ThirdPartySignature, |s| redeems(s, &proof(CAROL)))
            .variant(
                "no-object",
                "The third-party invite is no object.",
                Rejected(ThirdPartyUnsigned),
                |s| redeems(s, &json!(true)),
            ),
        properties(),
        leaf(ThirdPartyTarget)
            .rejected("The proof is for somebody else.", ThirdPartyTarget, |s| redeems(s, &proof(DAVE)))
            .accepted("The proof is for the target.", ThirdPartySignature, |s| redeems(s, &proof(CAROL)))
            .variant("no-string", "The proof is for no user id.", Rejected(ThirdPartyTarget), |s| {
                redeems(s, &signed(json!({"mxid": null, "token": TOKEN}), IDENTITY_SERVER))
            })
            .variant("other-case", "User ids are compared as they are.", Rejected(ThirdPartyTarget), |s| {
                redeems(s, &proof("@Carol:c.example"))
            }),
        leaf(ThirdPartyToken)
            .rejected("The proof has another token than the offer.", ThirdPartyToken, |s| {
                redeems(s, &signed(json!({"mxid": CAROL, "token": "another"}), IDENTITY_SERVER))
            })
            .accepted("The proof has the token of the offer.", ThirdPartySignature, |s| {
                redeems(s, &proof(CAROL))
            })
            .variant("no-string", "The token is no string.", Rejected(ThirdPartyToken), |s| {
                redeems(s, &signed(json!({"mxid": CAROL, "token": 1}), IDENTITY_SERVER))
            })
            .variant(
                "unselected",
                "The offer is not among the auth events.",
                Rejected(ThirdPartyToken),
                |s| {
                    let invite = redeems(s, &proof(CAROL));
                    let offer = s.current("m.room.third_party_invite", TOKEN);
                    let auth_events = invite.auth_events.into_iter().filter(|id| *id != offer).collect();
                    Draft { auth_events, ..invite }
                },
            ),
        leaf(ThirdPartySender)
            .rejected("The offer is redeemed by another than its sender.", ThirdPartySender, |s| {
                offers(s, ALICE, single_key());
                invites(s, &proof(CAROL))
            })
            .accepted("The offer is redeemed by its sender.", ThirdPartySignature, |s| {
                offers(s, BOB, single_key());
                invites(s, &proof(CAROL))
            }),
        proven(),
        unproven(),
    ]
}

fn properties() -> Leaf {
    let lacks = |s: &mut Scene, property: &str| {
        let mut signed = json!({"mxid": CAROL, "token": TOKEN});
        signed.as_object_mut().unwrap().remove(property);
        redeems(s, &json!({"display_name": "c…", "signed": sign(signed, IDENTITY_SERVER)}))
    };
    leaf(ThirdPartyProperties)
        .rejected("The proof names no user.", ThirdPartyProperties, move |s| lacks(s, "mxid"))
        .accepted("The proof names a user and a token.", ThirdPartySignature, |s| redeems(s, &proof(CAROL)))
        .variant("no-token", "The proof names no token.", Rejected(ThirdPartyProperties), move |s| {
            lacks(s, "token")
        })
}

fn proven() -> Leaf {
    let allowed = Allowed(ThirdPartySignature);
    leaf(ThirdPartySignature)
        .accepted("The offer's key made the signature.", ThirdPartySignature, |s| redeems(s, &proof(CAROL)))
        .rejected("Another key made the signature.", ThirdPartyOtherwise, |s| {
            redeems(s, &signed(json!({"mxid": CAROL, "token": TOKEN}), STRANGER))
        })
        .variant("listed-key", "A key of the list made the signature.", allowed, |s| {
            offers(
                s,
                BOB,
                json!({"public_key": key(STRANGER), "public_keys": [
                    {"public_key": key(IDENTITY_SERVER)}, {"public_key": key(SECOND_SERVER)},
                ]}),
            );
            invites(s, &signed(json!({"mxid": CAROL, "token": TOKEN}), SECOND_SERVER))
        })
        .variant("list-only", "There is only a list of keys.", allowed, |s| {
            offers(s, BOB, json!({"public_keys": [{"public_key": key(IDENTITY_SERVER)}]}));
            invites(s, &proof(CAROL))
        })
        .variant("unlisted-key", "The single key counts although there is a list without it.", allowed, |s| {
            offers(
                s,
                BOB,
                json!({"public_key": key(IDENTITY_SERVER), "public_keys": [
                    {"public_key": key(SECOND_SERVER)},
                ]}),
            );
            invites(s, &proof(CAROL))
        })
        .variant("url-safe-key", "The key is in the URL-safe alphabet.", allowed, |s| {
            let bytes = base64::decode(&key(URL_SENSITIVE)).unwrap();
            offers(s, BOB, json!({"public_key": base64::encode_url_safe(bytes)}));
            invites(s, &signed(json!({"mxid": CAROL, "token": TOKEN}), URL_SENSITIVE))
        })
        .variant("among-others", "One of several signatures is by the offer's key.", allowed, |s| {
            let once = sign(json!({"mxid": CAROL, "token": TOKEN}), STRANGER);
            let twice = sign(once, IDENTITY_SERVER);
            redeems(s, &json!({"display_name": "c…", "signed": twice}))
        })
        .variant("other-name", "Whose name the signature has is no matter.", allowed, |s| {
            let mut signed = sign(json!({"mxid": CAROL, "token": TOKEN}), IDENTITY_SERVER);
            let signatures = signed["signatures"][IDENTITY_SERVER].take();
            signed["signatures"] = json!({STRANGER: signatures});
            redeems(s, &json!({"display_name": "c…", "signed": signed}))
        })
        .variant("level", "The invite level is no matter.", allowed, |s| {
            offers(s, BOB, single_key());
            invites(s.levels(json!({"invite": 51})), &proof(CAROL))
        })
        .variant("sender-left", "Whether the sender is joined is no matter.", allowed, |s| {
            offers(s, BOB, single_key());
            invites(s.left(BOB), &proof(CAROL))
        })
        .variant("member", "A member is invited by proof, which no rule forbids.", allowed, |s| {
            redeems(s.joined(CAROL), &proof(CAROL))
        })
        .variant("by-state", "The offer is in the state.", allowed, |s| redeems(s.by_state(), &proof(CAROL)))
}

fn unproven() -> Leaf {
    let rejected = Rejected(ThirdPartyOtherwise);
    leaf(ThirdPartyOtherwise)
        .rejected("Another key made the signature.", ThirdPartyOtherwise, |s| {
            redeems(s, &signed(json!({"mxid": CAROL, "token": TOKEN}), STRANGER))
        })
        .accepted("The offer's key made the signature.", ThirdPartySignature, |s| redeems(s, &proof(CAROL)))
        .variant("no-signature", "Nobody signed the proof.", rejected, |s| {
            redeems(s, &json!({"display_name": "c…", "signed": {"mxid": CAROL, "token": TOKEN}}))
        })
        .variant("altered", "The proof was altered after it was signed.", rejected, |s| {
            let mut signed = sign(json!({"mxid": DAVE, "token": TOKEN}), IDENTITY_SERVER);
            signed["mxid"] = json!(CAROL);
            redeems(s, &json!({"display_name": "c…", "signed": signed}))
        })
        .variant("no-key", "The offer has no key.", rejected, |s| {
            offers(s, BOB, json!({}));
            invites(s, &proof(CAROL))
        })
        .variant(
            "member-may-invite",
            "A member who may invite needs a proof if there is one.",
            rejected,
            |s| {
                s.levels(json!({"invite": 0}));
                redeems(s, &signed(json!({"mxid": CAROL, "token": TOKEN}), STRANGER))
            },
        )
}

/// A server whose public key looks different in the two alphabets of base64.
const URL_SENSITIVE: &str = "url-safe.example";

#[test]
fn the_alphabets_differ() {
    assert!(key(URL_SENSITIVE).contains(['+', '/']), "{}", key(URL_SENSITIVE));
}

/// Bob offers and invites Carol.
fn redeems(s: &mut Scene, third_party_invite: &Value) -> Draft<'static> {
    offers(s, BOB, single_key());
    invites(s, third_party_invite)
}

fn offers(s: &mut Scene, sender: &'static str, keys: Value) {
    let mut content =
        object(json!({"display_name": "c…", "key_validity_url": "https://identity.example/valid"}));
    content.extend(object(keys));
    s.happens(s.sets(sender, "m.room.third_party_invite", TOKEN, Value::Object(content)));
}

fn invites(s: &Scene, third_party_invite: &Value) -> Draft<'static> {
    let content = json!({"membership": "invite", "third_party_invite": third_party_invite});
    s.sets(BOB, "m.room.member", CAROL, content)
}

fn single_key() -> Value {
    json!({"public_key": key(IDENTITY_SERVER)})
}

/// What the identity server gives a user who is known to it.
fn proof(mxid: &str) -> Value {
    signed(json!({"mxid": mxid, "token": TOKEN}), IDENTITY_SERVER)
}

fn signed(signed: Value, entity: &str) -> Value {
    json!({"display_name": "c…", "signed": sign(signed, entity)})
}

fn sign(json: Value, entity: &str) -> Value {
    let mut json = object(json);
    signatures::sign(&mut json, entity, &server_key(entity)).unwrap();
    Value::Object(json)
}

fn key(entity: &str) -> String {
    server_key(entity).verify_key().to_base64()
}
