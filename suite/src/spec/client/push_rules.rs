//! `client-server-api/#push-rules-api`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Call, Homeserver, Sync, User},
    path,
    verdict::Verdict,
};

/// A rule that a user makes is enabled, and is shown alone, among the rules of its kind and among all.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3pushrulesglobalkindruleid",
    level = Must,
    severity = Interop,
    each = kinds,
    proves = [
        "client-server-api/put_matrixclientv3pushrulesglobalkindruleid/3",
        "client-server-api/push-rules/2",
    ]
)]
async fn new_rule_is_shown(hs: &Homeserver, kind: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let (rule_id, parameters) = match kind {
        "content" => ("cake".to_owned(), json!({"pattern": "cake*lie"})),
        "room" => (room, json!({})),
        "sender" => ("@somebody:example.org".to_owned(), json!({})),
        _ => {
            let condition = json!({"kind": "event_match", "key": "type", "pattern": "org.determinant.*"});
            ("own.rule".to_owned(), json!({"conditions": [condition]}))
        }
    };
    let mut body = parameters.clone();
    body["actions"] = json!(["notify", {"set_tweak": "sound", "value": "default"}]);
    alice.put(rule_path(kind, &rule_id), body.clone()).must_be(200).await?;

    let is_it = |rule: &Value| {
        let as_set = body.as_object().into_iter().flatten().all(|(name, value)| rule[name] == *value);
        as_set && rule["rule_id"] == rule_id.as_str() && rule["enabled"] == true && rule["default"] == false
    };
    let alone = alice.get(rule_path(kind, &rule_id)).await?;
    alone.must(is_it(alone.json()), "the rule, enabled", || alone.json().to_string())?;
    for (answer, place) in [
        (alice.get(ALL).await?, format!("/global/{kind}")),
        (alice.get(format!("{ALL}global/")).await?, format!("/{kind}")),
    ] {
        let rules = answer.must_have_list(&place)?;
        answer.must(rules.iter().any(is_it), format!("the rule at {place}"), || {
            answer.at(&place).to_string()
        })?;
    }
    Ok(())
}

fn kinds() -> [&'static str; 5] {
    ["override", "content", "room", "sender", "underride"]
}

/// What a rule does, and whether it is enabled, can be read and changed apart.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions",
    level = Must,
    severity = Interop
)]
async fn parts_of_a_rule_are_changed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    set(&alice, "cake").await?;
    let part = |name: &str| format!("{}/{name}", rule_path("content", "cake"));
    alice.get(part("actions")).await?.must_hold("/actions", json!(["notify"]))?;
    alice.get(part("enabled")).await?.must_hold("/enabled", true)?;

    let louder = json!(["notify", {"set_tweak": "highlight"}]);
    alice.put(part("actions"), json!({"actions": louder})).must_be(200).await?;
    alice.put(part("enabled"), json!({"enabled": false})).must_be(200).await?;

    alice.get(part("actions")).await?.must_hold("/actions", louder.clone())?;
    alice.get(part("enabled")).await?.must_hold("/enabled", false)?;
    let rule = alice.get(rule_path("content", "cake")).await?;
    rule.must_hold("/actions", louder)?;
    rule.must_hold("/enabled", false)
}

/// A rule that was deleted, and one that never was, are not found, and neither are their parts.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid",
    level = Must,
    severity = Interop
)]
async fn deleted_rule_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    for rule_id in ["kept", "deleted"] {
        set(&alice, rule_id).await?;
    }
    let deleted = rule_path("content", "deleted");
    alice.delete(&deleted).must_be(200).await?;

    for target in [deleted.clone(), format!("{deleted}/actions"), format!("{deleted}/enabled")] {
        alice.get(target).must_refuse(404, "M_NOT_FOUND").await?;
    }
    alice.delete(&deleted).must_refuse(404, "M_NOT_FOUND").await?;
    alice.get(rule_path("content", "kept")).await?.must_hold("/rule_id", "kept")
}

/// A new rule is the most important one that users have made of its kind, unless it is put before or after another.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3pushrulesglobalkindruleid",
    level = Should,
    severity = Interop,
    proves = [
                "client-server-api/put_matrixclientv3pushrulesglobalkindruleid/2",
    ]
)]
async fn rules_are_placed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    set(&alice, "first").await?;
    set(&alice, "second").await?;
    set(&alice, "before first").query("before", "first").await?;
    set(&alice, "after second").query("after", "second").await?;

    must_be_in_order(&alice.get(ALL).await?, &["second", "after second", "before first", "first"])
}

/// Nothing of a rule that does not exist can be changed, and no rule can be put next to it.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions",
    level = Must,
    severity = Interop,
    each = parts
)]
async fn unknown_rule_cannot_be_changed(hs: &Homeserver, part: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let unknown = rule_path("content", "unknown");
    match part {
        "actions" => {
            let body = json!({"actions": ["notify"]});
            alice.put(format!("{unknown}/actions"), body).must_refuse(404, "M_NOT_FOUND").await?
        }
        "enabled" => {
            let body = json!({"enabled": true});
            alice.put(format!("{unknown}/enabled"), body).must_refuse(404, "M_NOT_FOUND").await?
        }
        neighbour => set(&alice, "new").query(neighbour, "unknown").must_be(400).await?,
    };
    must_be_in_order(&alice.get(ALL).await?, &[])
}

fn parts() -> [&'static str; 4] {
    ["actions", "enabled", "before", "after"]
}

/// A rule that is put before one rule and after another is the next more important one to the rule before which it is put.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3pushrulesglobalkindruleid",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/put_matrixclientv3pushrulesglobalkindruleid/1"]
)]
async fn before_counts_more_than_after(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    // Each is put before one that is there, so that nothing depends on where new rules stand.
    set(&alice, "last").await?;
    set(&alice, "middle").query("before", "last").await?;
    set(&alice, "top").query("before", "middle").await?;

    set(&alice, "new").query("before", "last").query("after", "top").await?;

    must_be_in_order(&alice.get(ALL).await?, &["top", "middle", "new", "last"])
}

/// Names that begin with a dot are reserved for rules that servers make.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3pushrulesglobalkindruleid",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/put_matrixclientv3pushrulesglobalkindruleid/4"]
)]
async fn reserved_name_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;

    set(&alice, ".determinant").must_be_refused().await?;

    alice.get(ALL).await?.must_not_mention(".determinant")
}

/// The ids of the rules that the server makes begin with a dot, and their conditions have what their kinds need.
#[conformance(
    spec = "client-server-api/#predefined-rules",
    level = Must,
    severity = Interop,
    proves = [
        "client-server-api/predefined-rules/1",
        "client-server-api/get_matrixclientv3pushrules/2",
        "client-server-api/get_matrixclientv3pushrules/3",
        "client-server-api/get_matrixclientv3pushrules/4",
        "client-server-api/get_matrixclientv3pushrules/6",
        "client-server-api/get_matrixclientv3pushrules/7",
    ]
)]
async fn predefined_rules_are_whole(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = alice.get(ALL).await?;
    for kind in kinds() {
        let rules = answer.at(&format!("/global/{kind}")).as_array().into_iter().flatten();
        for rule in rules.filter(|rule| rule["default"] == true) {
            let named = rule["rule_id"].as_str().is_some_and(|rule_id| rule_id.starts_with('.'));
            answer.must(named, "an id that begins with a dot", || rule.to_string())?;
            for condition in rule["conditions"].as_array().into_iter().flatten() {
                let lacks = needs(condition).iter().find(|name| condition.get(**name).is_none());
                answer.must(lacks.is_none(), format!("a condition with {lacks:?}"), || rule.to_string())?;
            }
        }
    }
    Ok(())
}

/// The fields that a condition of this kind must have.
fn needs(condition: &Value) -> &'static [&'static str] {
    match condition["kind"].as_str() {
        Some("event_match") => &["key", "pattern"],
        Some("event_property_is" | "event_property_contains") => &["key", "value"],
        Some("sender_notification_permission") => &["key"],
        Some("room_member_count") => &["is"],
        _ => &[],
    }
}

/// The rules of one user are changed by nobody else.
#[conformance(spec = "client-server-api/#push-rules-api", level = Must, severity = Security)]
async fn rules_belong_to_their_user(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    set(&alice, "hers").await?;

    eve.request(Method::DELETE, rule_path("content", "hers")).must_refuse(404, "M_NOT_FOUND").await?;

    eve.get(ALL).await?.must_not_mention("hers")?;
    alice.get(rule_path("content", "hers")).await?.must_hold("/rule_id", "hers")
}

/// What is changed about a rule is told to the clients of its user, as is its end.
#[conformance(spec = "client-server-api/#push-rules-events", level = Must, severity = Interop)]
async fn every_change_is_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    set(&alice, "changing").await?;
    let phone = alice.logs_in().await?;
    phone.initial_sync().await?;
    let part = |part: &str| format!("{}/{part}", rule_path("content", "changing"));
    let told = |sync: &Sync| {
        let rules = sync.account_data().iter().find(|event| event["type"] == "m.push_rules")?;
        let rules = rules["content"]["global"]["content"].as_array().cloned().unwrap_or_default();
        Some(rules.into_iter().find(|rule| rule["rule_id"] == "changing").unwrap_or_default())
    };

    alice.put(part("enabled"), json!({"enabled": false})).await?;
    phone.sees("the disabled rule", |sync| told(sync).is_some_and(|rule| rule["enabled"] == false)).await?;
    alice.put(part("actions"), json!({"actions": []})).await?;
    let silent = |rule: Value| rule["actions"].as_array().is_some_and(Vec::is_empty);
    phone.sees("the rule without actions", |sync| told(sync).is_some_and(silent)).await?;
    alice.delete(rule_path("content", "changing")).await?;
    phone.sees("no such rule", |sync| told(sync).is_some_and(|rule| rule.is_null())).await.map(drop)
}

/// Changed rules are told to the clients of their user as account data.
#[conformance(spec = "client-server-api/#push-rules-events", level = Must, severity = Interop)]
async fn changes_are_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    phone.initial_sync().await?;

    set(&alice, "told").await?;

    let tells = |event: &Value| {
        event["type"] == "m.push_rules" && names(&event["content"]["global"]["content"]).contains(&"told")
    };
    phone.sees("the new rule", |sync| sync.account_data().iter().any(tells)).await.map(drop)
}

/// Rules are the same whether they are asked for all at once, by themselves, or told in sync.
#[conformance(spec = "client-server-api/#push-rules-api", level = Must, severity = Interop)]
async fn rules_are_the_same_everywhere(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    for kind in kinds() {
        let small = json!([{"kind": "room_member_count", "is": "<5"}]);
        let (rule_id, rule) = match kind {
            "sender" => ("@somebody:example.org", json!({"actions": ["notify"]})),
            "room" => ("!somewhere:example.org", json!({"actions": ["notify"]})),
            "content" => ("cake", json!({"actions": ["notify"], "pattern": "cake*"})),
            _ => ("small", json!({"actions": ["notify"], "conditions": small})),
        };
        alice.put(rule_path(kind, rule_id), rule).await?;
    }

    let answer = alice.get(ALL).await?;
    let all = answer.at("/global");
    let by_scope = alice.get(format!("{ALL}global/")).await?;
    by_scope.must(by_scope.json() == all, format!("the same rules as all at once: {all}"), || {
        by_scope.json().to_string()
    })?;
    let tells = |event: &Value| event["type"] == "m.push_rules" && event["content"]["global"] == *all;
    alice.sees("the same rules", |sync| sync.account_data().iter().any(tells)).await?;
    for kind in kinds() {
        for rule in all[kind].as_array().into_iter().flatten() {
            let path = rule_path(kind, rule["rule_id"].as_str().unwrap_or_default());
            let alone = alice.get(&path).await?;
            alone.must(alone.json() == rule, format!("the same rule as among all: {rule}"), || {
                alone.json().to_string()
            })?;
            alice.get(format!("{path}/actions")).await?.must_hold("/actions", rule["actions"].clone())?;
            alice.get(format!("{path}/enabled")).await?.must_hold("/enabled", rule["enabled"].clone())?;
        }
    }
    Ok(())
}

const ALL: &str = "/_matrix/client/v3/pushrules/";

fn rule_path(kind: &str, rule_id: &str) -> String {
    path!("/_matrix/client/v3/pushrules/global/{}/{}", kind, rule_id)
}

/// Makes a rule about a word.
fn set(user: &User, rule_id: &str) -> Call {
    user.put(rule_path("content", rule_id), json!({"pattern": "cake", "actions": ["notify"]}))
}

/// Requires these rules about words, the most important first, before all that the server may have made.
fn must_be_in_order(answer: &Answer, expected: &[&str]) -> Verdict {
    let mut own = names(answer.at("/global/content"));
    own.retain(|rule_id| !rule_id.starts_with('.'));
    answer.must(own == expected, format!("{expected:?}"), || format!("{own:?}"))
}

fn names(rules: &Value) -> Vec<&str> {
    rules.as_array().into_iter().flatten().filter_map(|rule| rule["rule_id"].as_str()).collect()
}
