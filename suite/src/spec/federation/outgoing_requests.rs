//! `server-server-api/#request-authentication`, from the other side: how the server writes its own requests.

use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver,
        remote::{Asked, Question},
    },
    verdict::{Stop, Verdict, must},
};

/// What the server asks other servers.
fn questions() -> impl Iterator<Item = &'static str> {
    ["a query", "a transaction"].into_iter()
}

/// Has the server ask a remote something.
async fn ask(hs: &Homeserver, what: &str) -> Result<(Asked, String), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let asked = match what {
        "a query" => {
            alice.profile(&remote.user("dave")).await?;
            remote.is_asked(Question::Profile).await?
        }
        _ => {
            let room = remote.room_with(&alice).await?;
            alice.say(room.id(), "hello").await?;
            remote.is_asked(Question::Transaction).await?
        }
    };
    let header = asked.headers.get(http::header::AUTHORIZATION).and_then(|header| header.to_str().ok());
    let header = header.unwrap_or_default().to_owned();
    Ok((asked, header))
}

/// The parameters of a header as they were written: names, and values with their quotes.
fn parameters(header: &str) -> Vec<(&str, &str)> {
    let rest = header.split_once(' ').map_or("", |(_, rest)| rest);
    // No value that a server has to send holds a comma.
    rest.split(',').filter_map(|parameter| parameter.split_once('=')).collect()
}

/// Values of the authorization header that are no tokens stand in quotes.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Must,
    severity = Interop,
    each = questions,
    proves = ["server-server-api/request-authentication/2"]
)]
async fn values_are_quoted(hs: &Homeserver, what: &'static str) -> Verdict {
    let (_, header) = ask(hs, what).await?;
    let is_token = |value: &str| {
        let permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !value.is_empty() && value.bytes().all(permitted)
    };
    let is_quoted = |value: &str| value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let all = parameters(&header);
    let wrong = all.iter().find(|(_, value)| !is_token(value.trim()) && !is_quoted(value.trim()));
    must(all.len() >= 4 && wrong.is_none(), "four parameters, each a token or in quotes", || header.clone())
}

/// The authorization header is written as older servers can read it: one blank after the scheme, none around commas, names in
/// lower case, no backslashes.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Should,
    severity = Interop,
    each = questions,
    proves = ["server-server-api/request-authentication/4"]
)]
async fn header_suits_older_servers(hs: &Homeserver, what: &'static str) -> Verdict {
    let (_, header) = ask(hs, what).await?;
    let rest = header.split_once(' ').map_or("", |(_, rest)| rest);
    let plain = !rest.contains([' ', '\t', '\\']);
    let lower = parameters(&header).iter().all(|(name, _)| *name == name.to_lowercase());
    must(plain && lower, "X-Matrix and lower-case parameters without blanks", || header.clone())
}

/// Every request says whom it is for.
#[conformance(
    spec = "server-server-api/#request-authentication",
    level = Must,
    severity = Security,
    since = "v1.3",
    each = questions,
    proves = ["server-server-api/request-authentication/6"]
)]
async fn destination_is_sent(hs: &Homeserver, what: &'static str) -> Verdict {
    let (asked, header) = ask(hs, what).await?;
    let all = parameters(&header);
    let destination = all.iter().find(|(name, _)| name.eq_ignore_ascii_case("destination"));
    let named = destination.map(|(_, value)| value.trim().trim_matches('"'));
    must(named == Some(asked.host()), format!("destination={}", asked.host()), || header.clone())
}

/// What the server sends to others as JSON is labelled as that.
#[conformance(
    spec = "server-server-api/#api-standards",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/api-standards/1"]
)]
async fn json_is_labelled(hs: &Homeserver) -> Verdict {
    let (asked, _) = ask(hs, "a transaction").await?;
    let label = asked.headers.get(http::header::CONTENT_TYPE).and_then(|label| label.to_str().ok());
    let label = label.unwrap_or_default();
    let right = label.split(';').next().is_some_and(|label| label.trim() == "application/json");
    must(right, "content-type: application/json", || format!("content-type: {label}"))
}
