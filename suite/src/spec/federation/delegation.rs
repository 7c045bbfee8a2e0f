//! `server-server-api/#getwell-knownmatrixserver`: how delegation files of other servers are read and kept.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver, User,
        remote::{Asked, Host, Question, Remote, Reply},
    },
    verdict::{Stop, Verdict, must},
};

/// Where a server is whose name says nothing else.
const DEFAULT_PORT: u16 = 8448;
/// Where one is that is delegated to.
const PORT: u16 = 8449;

const PATH: &str = "/.well-known/matrix/server";

/// A remote homeserver that can be delegated: its own host, which delegates, and two places to delegate to.
struct Stage {
    alice: User,
    remote: Remote,
    own: Host,
    /// Names with their ports, and where they are.
    places: [(String, SocketAddr); 2],
}

impl Stage {
    async fn set(hs: &Homeserver) -> Result<Self, Stop> {
        let [alice] = hs.users().await?;
        let own = hs.new_host()?;
        let remote = hs.remote_called(&own.name).await?;
        remote.listens(own.at(hs.https_port()?), &own.name)?;
        let mut places = Vec::new();
        for _ in 0..2 {
            let host = hs.new_host()?;
            remote.listens(host.at(PORT), &host.name)?;
            places.push((format!("{}:{PORT}", host.name), host.at(PORT)));
        }
        let places = <[_; 2]>::try_from(places);
        let places = places.map_err(|_| Stop::Fault("there are two places".to_owned()))?;
        Ok(Stage { alice, remote, own, places })
    }

    /// Delegates to one of the places, with a header.
    fn delegates(&self, place: usize, cache_control: Option<&str>) {
        let reply = Reply::json(json!({"m.server": self.places[place].0}));
        self.remote.answers(
            Question::WellKnown,
            match cache_control {
                Some(value) => reply.header("cache-control", value),
                None => reply,
            },
        );
    }

    /// Has the delegation at the host itself, at this port, redirected to another host, which delegates to the first place.
    fn redirects_to(&self, other: &Host, port: u16) {
        let (first, place) = (self.own.at(port), self.places[0].0.clone());
        let location = format!("https://{}:{port}{PATH}", other.name);
        self.remote.answers_with(Question::WellKnown, move |asked, _| {
            if asked.reached.address == Some(first) {
                return Reply::redirect(&location);
            }
            Reply::json(json!({"m.server": place}))
        });
    }

    /// Has the server ask for the profile of a user; says where it did.
    async fn ask(&self, localpart: &str) -> Result<Option<SocketAddr>, Stop> {
        let dave = self.remote.user(localpart);
        self.alice.profile(&dave).await?;
        let about = |asked: &Asked| {
            let fits = asked.question == Some(Question::Profile) && asked.parameter("user_id") == dave;
            fits.then_some(asked.reached.address)
        };
        self.remote.sees("the question for the profile", about).await
    }

    /// Requires that the server, when it asks, does so there.
    async fn must_lead_to(&self, place: SocketAddr) -> Verdict {
        let at = self.ask("dave").await?;
        must(at == Some(place), format!("a question at {place}"), || format!("{at:?}"))
    }

    /// How often the delegation was asked for.
    fn lookups(&self) -> usize {
        self.remote.asked(Question::WellKnown).len()
    }
}

/// The delegation is asked for at the host of the server name, by HTTPS.
#[conformance(
    spec = "server-server-api/#getwell-knownmatrixserver",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/getwell-knownmatrixserver/2"]
)]
async fn delegation_is_asked_for_at_the_host(hs: &Homeserver) -> Verdict {
    let stage = Stage::set(hs).await?;
    stage.delegates(0, None);
    stage.must_lead_to(stage.places[0].1).await?;
    let asked = stage.remote.is_asked(Question::WellKnown).await?;
    let named = asked.reached.server_name.clone().unwrap_or_default();
    must(named == stage.own.name, format!("SNI {}", stage.own.name), || format!("SNI {named:?}"))?;
    let host = asked.host().split(':').next().unwrap_or_default();
    must(host == stage.own.name, format!("Host: {}", stage.own.name), || format!("Host: {}", asked.host()))
}

fn labels() -> impl Iterator<Item = &'static str> {
    ["text/plain", "text/html; charset=utf-8", "application/octet-stream", ""].into_iter()
}

/// A delegation is read whatever the label of its file says.
#[conformance(
    spec = "server-server-api/#getwell-knownmatrixserver",
    level = Should,
    severity = Interop,
    each = labels,
    proves = ["server-server-api/getwell-knownmatrixserver/3"]
)]
async fn label_does_not_matter(hs: &Homeserver, label: &'static str) -> Verdict {
    let stage = Stage::set(hs).await?;
    let body = json!({"m.server": stage.places[0].0}).to_string();
    stage.remote.answers(
        Question::WellKnown,
        match label {
            "" => Reply::unlabelled(200, body),
            label => Reply::bytes(200, label, body),
        },
    );
    stage.remote.listens(stage.own.at(DEFAULT_PORT), &stage.own.name)?;
    stage.must_lead_to(stage.places[0].1).await
}

/// A redirect of the delegation is followed, to another host too.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Should,
    severity = Interop,
    proves = [
        "server-server-api/resolving-server-names/5",
        "server-server-api/getwell-knownmatrixserver/1"
    ]
)]
async fn redirect_is_followed(hs: &Homeserver) -> Verdict {
    let stage = Stage::set(hs).await?;
    let (other, port) = (hs.new_host()?, hs.https_port()?);
    stage.remote.listens(other.at(port), &other.name)?;
    stage.remote.listens(stage.own.at(DEFAULT_PORT), &stage.own.name)?;
    stage.redirects_to(&other, port);
    stage.must_lead_to(stage.places[0].1).await
}

/// A redirect of the delegation to a host that cannot prove its name leads nowhere.
#[conformance(
    spec = "server-server-api/#getwell-knownmatrixserver",
    level = Should,
    severity = Security,
    proves = ["server-server-api/getwell-knownmatrixserver/1"]
)]
async fn redirect_leads_only_to_a_proper_certificate(hs: &Homeserver) -> Verdict {
    let stage = Stage::set(hs).await?;
    let (other, port) = (hs.new_host()?, hs.https_port()?);
    stage.remote.listens(other.at(port), &stage.own.name)?;
    stage.remote.listens(stage.own.at(DEFAULT_PORT), &stage.own.name)?;
    stage.redirects_to(&other, port);
    stage.must_lead_to(stage.own.at(DEFAULT_PORT)).await
}

/// A delegation that redirects to itself is given up, and the server is looked for without it.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/resolving-server-names/5"]
)]
async fn circle_of_redirects_ends(hs: &Homeserver) -> Verdict {
    let stage = Stage::set(hs).await?;
    stage.remote.listens(stage.own.at(DEFAULT_PORT), &stage.own.name)?;
    let location = format!("https://{}:{}{PATH}", stage.own.name, hs.https_port()?);
    stage.remote.answers(Question::WellKnown, Reply::redirect(&location));
    stage.must_lead_to(stage.own.at(DEFAULT_PORT)).await
}

fn invalid() -> impl Iterator<Item = &'static str> {
    ["404", "500", "no JSON", "no object", "nothing named", "another type", "broken off"].into_iter()
}

/// A delegation that cannot be read is taken for none, and discovery goes on.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Must,
    severity = Interop,
    each = invalid,
    proves = ["server-server-api/getwell-knownmatrixserver/4"]
)]
async fn unreadable_delegation_is_none(hs: &Homeserver, what: &'static str) -> Verdict {
    let stage = Stage::set(hs).await?;
    stage.remote.listens(stage.own.at(DEFAULT_PORT), &stage.own.name)?;
    let good = Reply::json(json!({"m.server": stage.places[0].0}));
    let reply = match what {
        "404" => Reply::json_with(404, json!({"m.server": stage.places[0].0})),
        "500" => Reply::json_with(500, json!({"m.server": stage.places[0].0})),
        "no JSON" => Reply::garbage(),
        "no object" => Reply::json(json!([stage.places[0].0])),
        "nothing named" => Reply::json(json!({"m.homeserver": stage.places[0].0})),
        "another type" => Reply::json(json!({"m.server": 8448})),
        _ => good.broken_off(),
    };
    stage.remote.answers(Question::WellKnown, reply);
    stage.must_lead_to(stage.own.at(DEFAULT_PORT)).await
}

fn answers() -> impl Iterator<Item = &'static str> {
    ["delegation", "absence"].into_iter()
}

/// What was found out of a delegation is kept: the next question does not have it looked up again.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Should,
    severity = Interop,
    each = answers,
    proves = ["server-server-api/resolving-server-names/6"]
)]
async fn delegation_is_kept(hs: &Homeserver, what: &'static str) -> Verdict {
    let stage = Stage::set(hs).await?;
    stage.remote.listens(stage.own.at(DEFAULT_PORT), &stage.own.name)?;
    match what {
        "delegation" => stage.delegates(0, None),
        _ => stage.remote.answers(Question::WellKnown, Reply::error(404, "M_NOT_FOUND")),
    }
    for user in ["dave", "erin", "frank"] {
        stage.ask(user).await?;
    }
    let lookups = stage.lookups();
    must(lookups == 1, "one question for the delegation", || format!("{lookups}"))
}

/// A delegation that says how long it may be kept is asked for again after that.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/resolving-server-names/7"]
)]
async fn delegation_is_kept_as_long_as_it_says(hs: &Homeserver) -> Verdict {
    let stage = Stage::set(hs).await?;
    stage.delegates(0, Some("max-age=1"));
    stage.must_lead_to(stage.places[0].1).await?;

    stage.delegates(1, Some("max-age=1"));

    let number = AtomicUsize::new(0);
    let ask = || {
        let user = format!("user{}", number.fetch_add(1, Ordering::Relaxed));
        stage.alice.profile(&stage.remote.user(&user))
    };
    let second = stage.places[1].1;
    hs.eventually("the profile from where the delegation leads by now", ask, |_| {
        let asked = stage.remote.asked(Question::Profile);
        asked.iter().any(|asked| asked.reached.address == Some(second))
    })
    .await
    .map(drop)
}
