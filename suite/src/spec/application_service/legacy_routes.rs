//! `application-service-api/#legacy-routes`

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{
        ApplicationService, Homeserver,
        neighbour::{
            Asked,
            application_service::{OLD_PROTOCOL, PROTOCOL},
        },
        remote::Reply,
    },
    path,
    verdict::{Stop, Verdict, must},
};

/// What an application service does not know at the path of today is put to it at the older path, and not before.
#[conformance(
    spec = "application-service-api/#legacy-routes",
    level = Should,
    severity = Interop,
    needs = "application_services",
    each = questions,
    proves = [
        "application-service-api/legacy-routes/1",
        "application-service-api/legacy-routes/2",
        "application-service-api/legacy-routes/3",
        "application-service-api/legacy-routes/4",
        "application-service-api/legacy-routes/5",
        "application-service-api/legacy-routes/6",
        "application-service-api/legacy-routes/7",
        "application-service-api/legacy-routes/8",
        "application-service-api/legacy-routes/9",
        "application-service-api/legacy-routes/10",
    ]
)]
async fn older_path_comes_second(hs: &Homeserver, question: &'static str) -> Verdict {
    let mut service = hs.application_service()?;
    if question == "transaction" {
        service = service.that_may_fail().await;
    }
    let mark = if question == "protocol" { OLD_PROTOCOL.to_owned() } else { service.unused_localpart() };
    let (today, older) = paths(question);

    put(hs, &service, question, &mark).await?;

    let is_at = |path: &'static str| {
        let mark = mark.clone();
        move |asked: &Asked| asked.target.starts_with(path) && asked.mentions(&mark)
    };
    // A server that was heard at the path of today has no reason to try the older one.
    let is_last = |asked: &Asked| is_at(older)(asked) || is_at(today)(asked) && asked.was_taken();
    service.is_asked(&format!("{mark} at {older}"), is_last).await?;
    let at_both = service.asked(|asked| is_at(today)(asked) || is_at(older)(asked));
    let targets: Vec<_> = at_both.iter().map(|asked| asked.target.as_str()).collect();
    let in_order = targets.first().is_some_and(|first| first.starts_with(today))
        && targets.iter().any(|target| target.starts_with(older));
    must(in_order, format!("{today} before {older}"), || format!("{targets:?}"))
}

/// What an application service can be asked, and told.
fn questions() -> [&'static str; 8] {
    [
        "transaction",
        "user",
        "alias",
        "protocol",
        "users of a protocol",
        "locations of a protocol",
        "users behind a user id",
        "locations behind an alias",
    ]
}

/// The path of today and the older one.
fn paths(question: &str) -> (&'static str, &'static str) {
    match question {
        "transaction" => ("/_matrix/app/v1/transactions/", "/transactions/"),
        "user" => ("/_matrix/app/v1/users/", "/users/"),
        "alias" => ("/_matrix/app/v1/rooms/", "/rooms/"),
        "protocol" => ("/_matrix/app/v1/thirdparty/protocol/", "/_matrix/app/unstable/thirdparty/protocol/"),
        "users of a protocol" => {
            ("/_matrix/app/v1/thirdparty/user/", "/_matrix/app/unstable/thirdparty/user/")
        }
        "locations of a protocol" => {
            ("/_matrix/app/v1/thirdparty/location/", "/_matrix/app/unstable/thirdparty/location/")
        }
        "users behind a user id" => {
            ("/_matrix/app/v1/thirdparty/user?", "/_matrix/app/unstable/thirdparty/user?")
        }
        _ => ("/_matrix/app/v1/thirdparty/location?", "/_matrix/app/unstable/thirdparty/location?"),
    }
}

/// Has the server ask something of this kind in which the mark stands. It gets no answer at the path of today.
async fn put(hs: &Homeserver, service: &ApplicationService, question: &str, mark: &str) -> Result<(), Stop> {
    let [alice] = hs.users().await?;
    let networks = "/_matrix/client/v3/thirdparty";
    let request = match question {
        "transaction" => {
            let puppet = service.puppet().await?;
            let room = alice.create_room(json!({"preset": "public_chat"})).await?;
            puppet.join(&room).await?;
            knows_a_transaction_at_the_older_path(service, mark);
            return alice.say(&room, mark).await.map(drop);
        }
        "user" => {
            let room = alice.create_room(json!({})).await?;
            let body = json!({"user_id": format!("@{mark}:{}", hs.name())});
            alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), body)
        }
        "alias" => {
            let alias = format!("#{mark}:{}", hs.name());
            alice.get(path!("/_matrix/client/v3/directory/room/{}", alias))
        }
        "protocol" => alice.get(format!("{networks}/protocol/{mark}")),
        "users of a protocol" => alice.get(format!("{networks}/user/{PROTOCOL}")).query("nickname", mark),
        "locations of a protocol" => {
            alice.get(format!("{networks}/location/{PROTOCOL}")).query("channel", mark)
        }
        "users behind a user id" => {
            alice.get(format!("{networks}/user")).query("userid", format!("@{mark}:{}", hs.name()))
        }
        _ => alice.get(format!("{networks}/location")).query("alias", format!("#{mark}:{}", hs.name())),
    };
    // What comes of it depends on what the application service says at last, which is nothing.
    request.answer().await.map(drop)
}

/// The path of today fails once: a server that tries nothing else is not held up for ever.
fn knows_a_transaction_at_the_older_path(service: &ApplicationService, mark: &str) {
    let (mark, failed) = (mark.to_owned(), AtomicBool::new(false));
    service.answers_any(move |asked| {
        let is_old = asked.target.starts_with("/transactions/");
        if !(is_old || asked.is("sendTransaction")) || !asked.mentions(&mark) {
            return None;
        }
        let fails = !is_old && !failed.swap(true, Ordering::SeqCst);
        Some(if fails { Reply::error(404, "M_UNRECOGNIZED") } else { Reply::json(json!({})) })
    });
}
