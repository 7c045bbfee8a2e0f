//! `server-server-api/#request-authentication`

use http::Method;
use protocol::{keys::SigningKey, request::XMatrix};
use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Call, Homeserver, Remote},
    path,
    registry::Case,
    verdict::{Stop, Verdict},
};

/// A query that every server answers to every other one, of a user who exists.
async fn query(hs: &Homeserver, remote: &Remote) -> Result<Call, Stop> {
    let [alice] = hs.users().await?;
    remote.get(path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id()))
}

/// A way to write the header.
#[derive(Clone, Copy)]
struct Spelling {
    name: &'static str,
    write: fn(&XMatrix) -> String,
}

impl Case for Spelling {
    fn label(&self) -> String {
        self.name.to_owned()
    }
}

fn spellings() -> impl Iterator<Item = Spelling> {
    [
        Spelling {
            name: "scheme in lower case",
            write: |header| header.to_string().replacen("X-Matrix", "x-matrix", 1),
        },
        Spelling {
            name: "several spaces after the scheme",
            write: |header| header.to_string().replacen("X-Matrix ", "X-Matrix   ", 1),
        },
        Spelling {
            name: "names in upper case",
            write: |header| {
                parts(header, |name, value| format!("{}=\"{value}\"", name.to_uppercase()), ",", [0, 1, 2, 3])
            },
        },
        Spelling { name: "spaces around commas", write: |header| parts(header, quoted, " , ", [0, 1, 2, 3]) },
        Spelling { name: "tabs around commas", write: |header| parts(header, quoted, "\t,\t", [0, 1, 2, 3]) },
        Spelling { name: "another order", write: |header| parts(header, quoted, ",", [3, 1, 0, 2]) },
        Spelling {
            name: "escaped characters",
            write: |header| {
                parts(header, |name, value| format!("{name}=\"{}\"", escaped(value)), ",", [0, 1, 2, 3])
            },
        },
        Spelling {
            name: "an unknown parameter",
            write: |header| format!("{header},org.determinant=\"what?\""),
        },
    ]
    .into_iter()
}

fn quoted(name: &str, value: &str) -> String {
    format!("{name}=\"{value}\"")
}

/// Every letter behind a backslash stands for itself.
fn escaped(value: &str) -> String {
    value.chars().flat_map(|character| ['\\', character]).collect()
}

/// The parameters, each written in one way, in an order, with something between them.
fn parts(header: &XMatrix, write: impl Fn(&str, &str) -> String, between: &str, order: [usize; 4]) -> String {
    let all = [
        ("origin", header.origin.as_str()),
        ("destination", header.destination.as_deref().unwrap_or_default()),
        ("key", header.key.as_str()),
        ("sig", header.signature.as_str()),
    ];
    let written: Vec<String> = order.iter().map(|place| write(all[*place].0, all[*place].1)).collect();
    format!("X-Matrix {}", written.join(between))
}

/// The `Authorization` header is read by the grammar of RFC 9110, however it is spelt.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Must,
    severity = Interop,
    each = spellings,
    proves = ["server-server-api/request-authentication/3"]
)]
async fn header_is_read_by_its_grammar(hs: &Homeserver, spelling: Spelling) -> Verdict {
    let remote = hs.remote().await?;
    let seal = remote.seal(move |header| (spelling.write)(&header));
    let answer = query(hs, &remote).await?.sealed(seal).await?;
    answer.must(answer.json().is_object(), "a profile", || answer.json().to_string())
}

/// Colons in values of the `Authorization` header need no quotes, for the sake of older servers.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/request-authentication/5"]
)]
async fn colons_need_no_quotes(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let bare = |header: XMatrix| {
        let write = |name: &str, value: &str| {
            if name == "sig" { quoted(name, value) } else { format!("{name}={value}") }
        };
        parts(&header, write, ",", [0, 1, 2, 3])
    };
    let answer = query(hs, &remote).await?.sealed(remote.seal(bare)).await?;
    answer.must(answer.json().is_object(), "a profile", || answer.json().to_string())
}

/// A request whose header names no destination is accepted, for the sake of older servers.
#[conformance(spec = "server-server-api/#request-authentication", level = Should, severity = Interop)]
async fn destination_may_be_absent(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    // Older servers signed the destination and did not name it in the header.
    let seal = remote.seal(|header| XMatrix { destination: None, ..header }.to_string());
    let answer = query(hs, &remote).await?.sealed(seal).await?;
    answer.must(answer.json().is_object(), "a profile", || answer.json().to_string())
}

/// A request that is signed for another server is denied with 401.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Must,
    severity = Security,
    since = "v1.3",
    proves = ["server-server-api/request-authentication/7"]
)]
async fn request_for_another_server_is_unauthorized(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let seal = remote.seal_for(Some("elsewhere.example".to_owned()), |header| header.to_string());
    query(hs, &remote).await?.sealed(seal).must_be(401).await.map(drop)
}

/// What is changed after a request was signed.
fn alterations() -> impl Iterator<Item = &'static str> {
    ["query", "path", "method", "body", "origin", "signature", "key"].into_iter()
}

/// A request that is not what was signed is refused.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Must,
    severity = Security,
    each = alterations
)]
async fn altered_request_is_refused(hs: &Homeserver, altered: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let stranger = hs.remote().await?.name().to_owned();
    let profile = path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id());
    let keys = "/_matrix/federation/v1/user/keys/query";
    let body = json!({"device_keys": {alice.id(): []}});
    let call = match altered {
        "body" => remote.post(keys, body)?,
        _ => remote.get(profile.clone())?,
    };
    let good = remote.seal(|header| header.to_string());
    let seal = move |request: &crate::exchange::Request| {
        let mut request = request.clone();
        match altered {
            "query" => request.target.push_str("&field=displayname"),
            "path" => request.target = request.target.replace("profile", "directory"),
            "method" => request.method = Method::POST,
            "body" => request.body = Some(json!({"device_keys": {}}).to_string().into()),
            _ => {}
        }
        let header: XMatrix = good(&request)?.parse().map_err(|error| Stop::Fault(format!("{error}")))?;
        Ok(match altered {
            "origin" => XMatrix { origin: stranger, ..header },
            "signature" => XMatrix { signature: protocol::base64::encode([7; 64]), ..header },
            "key" => {
                let unpublished =
                    SigningKey::generate("unpublished").map_err(|error| Stop::Fault(error.to_string()))?;
                XMatrix { key: unpublished.id().clone(), ..header }
            }
            _ => header,
        }
        .to_string())
    };
    must_be_refused(call.sealed(seal).answer().await?)
}

/// The text names no status for a signature that does not fit; both of these say that the request was not let in.
fn must_be_refused(answer: Answer) -> Verdict {
    let refused = matches!(answer.status().as_u16(), 401 | 403);
    answer.must(refused, "401 or 403", || answer.exchange().response.in_short())
}
