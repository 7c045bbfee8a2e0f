//! `server-server-api/#retrieving-server-keys`

use http::Method;
use protocol::{
    Object,
    keys::{KeyId, SigningKey, VerifyKey},
    signatures,
};
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Answer, Homeserver,
        remote::{Question, Reply, Room, resigned},
    },
    path,
    verdict::{Stop, Verdict},
};

/// The key of a published document with that id.
fn verify_key(document: &Value, id: &KeyId) -> Option<VerifyKey> {
    VerifyKey::from_base64(document["verify_keys"][id.as_str()]["key"].as_str()?).ok()
}

/// Whether a server signed an object with keys of a published document.
fn is_signed(object: &Value, server_name: &str, document: &Value) -> Result<(), String> {
    let object: Object = object.as_object().cloned().unwrap_or_default();
    signatures::verify(&object, server_name, |id| verify_key(document, id)).map_err(|error| error.to_string())
}

/// The server publishes its keys in a document that each of them signs.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Must,
    severity = Interop
)]
async fn keys_are_published(hs: &Homeserver) -> Verdict {
    let answer = hs.federation_request(Method::GET, "/_matrix/key/v2/server")?.await?;
    answer.must_hold("/server_name", hs.name())?;
    let keys = answer.at("/verify_keys").as_object().cloned().unwrap_or_default();
    answer.must(!keys.is_empty(), "keys at /verify_keys", || answer.at("/verify_keys").to_string())?;
    for id in keys.keys() {
        let key = id.parse().ok().and_then(|id: KeyId| verify_key(answer.json(), &id));
        answer.must(key.is_some(), "Ed25519 keys in unpadded base64", || format!("{id}: {}", keys[id]))?;
        let signature = &answer.at("/signatures")[hs.name()][id];
        answer.must(signature.is_string(), format!("a signature with {id}"), || signature.to_string())?;
    }
    let signed = is_signed(answer.json(), hs.name(), answer.json());
    answer.must(signed.is_ok(), "signatures that match", || signed.err().unwrap_or_default())?;
    let until = answer.at("/valid_until_ts").as_u64().unwrap_or_default();
    answer.must(until > Room::now_ms(), "a valid_until_ts that is not over", || until.to_string())
}

/// The keys that the server publishes hold for an hour at least, so that nobody has to ask again and again.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Should,
    severity = Usability,
    proves = ["server-server-api/get_matrixkeyv2server/2"]
)]
async fn keys_hold_for_an_hour(hs: &Homeserver) -> Verdict {
    let answer = hs.federation_request(Method::GET, "/_matrix/key/v2/server")?.await?;
    let until = answer.at("/valid_until_ts").as_u64().unwrap_or_default();
    answer.must(until >= Room::now_ms() + 3_600_000, "a valid_until_ts an hour ahead", || until.to_string())
}

/// The ways to ask a notary.
fn ways() -> impl Iterator<Item = &'static str> {
    ["get", "post", "post with a key id"].into_iter()
}

async fn ask_notary(hs: &Homeserver, way: &str, about: &str) -> Result<Answer, Stop> {
    let call = match way {
        "get" => hs.federation_request(Method::GET, path!("/_matrix/key/v2/query/{}", about))?,
        _ => {
            let keys = if way == "post" {
                json!({})
            } else {
                json!({"ed25519:remote": {"minimum_valid_until_ts": Room::now_ms()}})
            };
            let body = json!({"server_keys": { about: keys }});
            hs.federation_request(Method::POST, "/_matrix/key/v2/query")?.json(&body)
        }
    };
    call.await
}

/// The keys of another server, where the notary's answer holds them.
fn keys_of(answer: &Answer, server_name: &str) -> Option<Value> {
    let all = answer.at("/server_keys").as_array()?;
    all.iter().find(|keys| keys["server_name"] == server_name).cloned()
}

/// A notary gives the keys of another server, with its own signature beside that server's.
#[conformance(
    spec = "server-server-api/#querying-keys-through-another-server",
    level = Must,
    severity = Interop,
    each = ways,
    proves = [
        "server-server-api/post_matrixkeyv2query/1",
        "server-server-api/post_matrixkeyv2query/2",
        "server-server-api/get_matrixkeyv2queryservername/1",
    ]
)]
async fn notary_signs_what_it_was_given(hs: &Homeserver, way: &'static str) -> Verdict {
    let own = hs.federation_request(Method::GET, "/_matrix/key/v2/server")?.await?;
    let remote = hs.remote().await?;

    let answer = ask_notary(hs, way, remote.name()).await?;

    remote.is_asked(Question::ServerKeys).await?;
    let keys = keys_of(&answer, remote.name());
    answer.must(keys.is_some(), "the keys of the other server", || answer.json().to_string())?;
    let keys = keys.unwrap_or_default();
    let published = keys["verify_keys"][remote.key().id().as_str()]["key"].as_str();
    let expected = remote.key().verify_key().to_base64();
    answer.must(published == Some(expected.as_str()), format!("the key {expected}"), || keys.to_string())?;
    for (signer, document) in [(remote.name(), &keys), (hs.name(), own.json())] {
        let signed = is_signed(&keys, signer, document);
        answer
            .must(signed.is_ok(), format!("a signature of {signer}"), || signed.err().unwrap_or_default())?;
    }
    Ok(())
}

/// A notary answers with nothing about a server that it cannot reach and never knew.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2queryservername",
    level = Must,
    severity = Interop,
    each = ways
)]
async fn notary_says_nothing_of_unreachable_servers(hs: &Homeserver, way: &'static str) -> Verdict {
    let remote = hs.remote().await?;
    remote.answers(Question::ServerKeys, Reply::nothing());
    let answer = ask_notary(hs, way, remote.name()).await?;
    answer.must_hold("/server_keys", json!([]))
}

/// A notary goes on giving the last keys that it got from a server which does not answer any more.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/get_matrixkeyv2server/4"]
)]
async fn notary_keeps_the_last_answer(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    ask_notary(hs, "post with a key id", remote.name()).await?;
    remote.answers(Question::ServerKeys, Reply::nothing());
    let answer = ask_notary(hs, "post with a key id", remote.name()).await?;
    let keys = keys_of(&answer, remote.name());
    answer.must(keys.is_some(), "the keys of the other server", || answer.json().to_string())
}

/// A notary that is asked about no server answers with nothing.
#[conformance(
    spec = "server-server-api/#post_matrixkeyv2query",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/post_matrixkeyv2query/3"]
)]
async fn notary_is_asked_about_nobody(hs: &Homeserver) -> Verdict {
    let call = hs.federation_request(Method::POST, "/_matrix/key/v2/query")?;
    call.json(&json!({"server_keys": {}})).await?.must_hold("/server_keys", json!([]))
}

/// What makes a document of keys worthless.
fn defects() -> impl Iterator<Item = &'static str> {
    ["no signature", "a signature that does not match", "the name of another server", "no JSON"].into_iter()
}

/// A server whose keys cannot be trusted is not let in.
#[conformance(
    spec = "server-server-api/#publishing-keys",
    level = Must,
    severity = Security,
    each = defects
)]
async fn worthless_keys_open_nothing(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let (name, key) = (remote.name().to_owned(), remote.key().clone());
    remote.answers_with(Question::ServerKeys, move |_, usual| match defect {
        "no JSON" => Reply::garbage(),
        _ => usual().altered(|document| match defect {
            "no signature" => {
                drop(document.as_object_mut().and_then(|document| document.remove("signatures")))
            }
            "the name of another server" => {
                document["server_name"] = json!("elsewhere.example");
                *document = resigned(document.clone(), &name, &key);
            }
            _ => document["signatures"][&name][key.id().as_str()] = json!(protocol::base64::encode([7; 64])),
        }),
    });

    let answer =
        remote.get(path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id()))?.answer().await?;

    let refused = matches!(answer.status().as_u16(), 401 | 403);
    answer.must(refused, "401 or 403", || answer.exchange().response.in_short())
}

/// A key that a server used to use signs no requests any more.
#[conformance(spec = "server-server-api/#publishing-keys", level = Must, severity = Security)]
async fn old_keys_sign_no_requests(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let current = SigningKey::generate("current").map_err(|error| Stop::Fault(error.to_string()))?;
    let (name, old) = (remote.name().to_owned(), remote.key().clone());
    remote.answers_with(Question::ServerKeys, move |_, usual| {
        usual().altered(|document| {
            let public = old.verify_key().to_base64();
            document["old_verify_keys"][old.id().as_str()] =
                json!({"key": public, "expired_ts": Room::now_ms() - 60_000});
            let id = current.id().as_str();
            document["verify_keys"] = json!({ id: {"key": current.verify_key().to_base64()} });
            *document = resigned(document.clone(), &name, &current);
        })
    });

    let answer =
        remote.get(path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id()))?.answer().await?;

    let refused = matches!(answer.status().as_u16(), 401 | 403);
    answer.must(refused, "401 or 403", || answer.exchange().response.in_short())
}
