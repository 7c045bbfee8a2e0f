//! `client-server-api/#filtering`: how filters are kept. What they choose stands in `filtering` and `room_messages`.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

/// A filter is given back as it was uploaded, under an id that cannot be mistaken for JSON.
#[conformance(spec = "client-server-api/#post_matrixclientv3useruseridfilter", level = Must, severity = Interop)]
async fn is_given_back(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let filter = json!({
        "event_fields": ["type", "content.body"],
        "event_format": "client",
        "presence": {"not_senders": ["@nobody:determinant.invalid"], "limit": 3},
        "room": {
            "include_leave": true,
            "rooms": ["!room:determinant.invalid"],
            "timeline": {"limit": 7, "types": ["m.room.*"], "not_types": ["m.room.\\\\*"], "contains_url": false},
            "state": {"lazy_load_members": true},
        },
    });
    let uploaded = alice.post(alice.own_path("/filter"), filter.clone()).await?;
    let id = uploaded.must_have_text("/filter_id")?;
    uploaded.must(!id.starts_with('{'), "an id that does not begin with a brace", || id.clone())?;

    let found = alice.get(alice.own_path(&path!("/filter/{}", id))).await?;

    let kept = leaves(&filter).into_iter().all(|(pointer, value)| found.at(&pointer) == &value);
    found.must(kept, format!("what was uploaded: {filter}"), || found.json().to_string())
}

/// The names of fields may hold dots and backslashes, which a backslash before them tells apart.
#[conformance(spec = "client-server-api/#post_matrixclientv3useruseridfilter", level = Must, severity = Interop)]
async fn field_names_hold_dots_and_backslashes(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let filter = json!({"event_fields": [r"content.with\.dot", r"content.with\\backslash", r"content.\\\\"]});
    let id = alice.post(alice.own_path("/filter"), filter.clone()).await?.must_have_text("/filter_id")?;
    let found = alice.get(alice.own_path(&path!("/filter/{}", id))).await?;
    found.must_hold("/event_fields", filter["event_fields"].clone())
}

/// A filter that was never uploaded is not found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3useruseridfilterfilterid",
    level = Must,
    severity = Interop
)]
async fn unknown_filter_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.get(alice.own_path("/filter/987654321")).must_be(404).await.map(drop)
}

/// A user cannot upload a filter for another one.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter",
    level = Must,
    severity = Security,
    proves = ["client-server-api/post_matrixclientv3useruseridfilter/1"]
)]
async fn belongs_to_its_uploader(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    eve.post(alice.own_path("/filter"), json!({})).must_be_refused().await.map(drop)
}

/// A filter of another user cannot be read.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3useruseridfilterfilterid",
    level = Should,
    severity = Security
)]
async fn filters_of_others_cannot_be_read(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let id = upload(&alice, json!({"room": {"rooms": ["!secret:determinant.invalid"]}})).await?;
    let peek = eve.get(alice.own_path(&path!("/filter/{}", id))).must_be_refused().await?;
    peek.must_not_mention("!secret:determinant.invalid")
}

/// A filter whose fields have other types than the ones defined for them is refused.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3useruseridfilter",
    level = Should,
    severity = Interop,
    each = malformed
)]
async fn malformed_filter_is_refused(hs: &Homeserver, place: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let filter = match place {
        "room" => json!({"room": "a room"}),
        "limit" => json!({"room": {"timeline": {"limit": "seven"}}}),
        "rooms" => json!({"room": {"rooms": "!room:determinant.invalid"}}),
        "senders" => json!({"presence": {"senders": {"alice": true}}}),
        _ => json!({"event_format": "unheard of"}),
    };
    alice.post(alice.own_path("/filter"), filter).must_be_refused().await.map(drop)
}

fn malformed() -> [&'static str; 5] {
    ["room", "limit", "rooms", "senders", "event_format"]
}

/// A sync with the id of a filter shows what a sync with the filter itself shows, and nothing that the filter excludes.
#[conformance(spec = "client-server-api/#filtering", level = Must, severity = Interop, each = ways)]
async fn sync_obeys_it(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    for kind in ["org.determinant.other", "org.determinant.wanted.not", "org.determinant.wanted"] {
        alice.set_account_data(None, kind, json!({"kind": kind})).await?;
    }
    let filter = json!({
        "account_data": {"types": ["org.determinant.wanted*"], "not_types": ["org.determinant.wanted.not"]},
    });
    let given = if way == "id" { upload(&alice, filter).await? } else { filter.to_string() };

    let ask = || alice.sync_request().query("filter", &given);
    let sync = alice.sync_showing("account data", ask, |sync| !sync.account_data().is_empty()).await?;

    let kinds: Vec<&str> = sync.account_data().iter().filter_map(|event| event["type"].as_str()).collect();
    let expected = "org.determinant.wanted and no other account data";
    sync.answer().must(kinds == ["org.determinant.wanted"], expected, || format!("{kinds:?}"))
}

fn ways() -> [&'static str; 2] {
    ["id", "inline"]
}

async fn upload(user: &User, filter: Value) -> Result<String, Stop> {
    user.post(user.own_path("/filter"), filter).await?.must_have_text("/filter_id")
}

/// Every value that is no object, with the pointer to it: a server may add fields of its own beside them.
fn leaves(value: &Value) -> Vec<(String, Value)> {
    let Value::Object(fields) = value else { return vec![(String::new(), value.clone())] };
    let below = |(name, field): (&String, &Value)| -> Vec<(String, Value)> {
        leaves(field).into_iter().map(|(pointer, leaf)| (format!("/{name}{pointer}"), leaf)).collect()
    };
    fields.iter().flat_map(below).collect()
}
