//! `application-service-api/#querying`

use serde_json::json;
use suite_attribute::conformance;
use tokio::sync::watch;

use crate::{
    cast::{ApplicationService, Homeserver, neighbour::Asked, remote::Reply},
    path,
    verdict::{Stop, Verdict},
};

/// An alias of its namespace that leads nowhere is asked of the application service, and leads nowhere if it says so.
#[conformance(
    spec = "application-service-api/#get_matrixappv1roomsroomalias",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn unknown_alias_is_asked_for(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let alias = service.unused_alias();
    alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).must_be(404).await?;
    let asked = |asked: &Asked| (asked.parameter("roomAlias") == alias).then_some(());
    service.sees("queryRoomByAlias", asked).await
}

/// A user of its namespace who does not exist is asked of the application service when somebody invites them.
#[conformance(
    spec = "application-service-api/#get_matrixappv1usersuserid",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn unknown_user_is_asked_for(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let user_id = service.unused_user_id();
    let room = alice.create_room(json!({})).await?;
    alice
        .post(path!("/_matrix/client/v3/rooms/{}/invite", room), json!({"user_id": user_id}))
        .answer()
        .await?;
    let asked = |asked: &Asked| (asked.parameter("userId") == user_id).then_some(());
    service.sees("queryUserById", asked).await
}

/// Whoever asks for an alias that an application service makes when it is asked for it is led to its room.
#[conformance(
    spec = "application-service-api/#get_matrixappv1roomsroomalias",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn alias_is_there_when_it_was_made(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let localpart = service.unused_localpart();
    let alias = format!("#{localpart}:{}", hs.name());
    let made = answers_when_made(&service, "queryRoomByAlias", "roomAlias", &alias);

    let make = async {
        let asked = |asked: &Asked| (asked.parameter("roomAlias") == alias).then_some(());
        service.sees("queryRoomByAlias", asked).await?;
        let room = json!({"room_alias_name": localpart, "preset": "public_chat"});
        let room = service.post("/_matrix/client/v3/createRoom", room).await?.must_have_text("/room_id")?;
        made.send_replace(true);
        Ok::<_, Stop>(room)
    };
    let find = alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).into_future();
    let (room, found) = tokio::try_join!(make, find)?;
    found.must_hold("/room_id", room)
}

/// A user whom an application service makes when it is asked for them can be invited.
#[conformance(
    spec = "application-service-api/#get_matrixappv1usersuserid",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn user_is_there_when_they_were_made(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let localpart = service.unused_localpart();
    let user_id = format!("@{localpart}:{}", hs.name());
    let made = answers_when_made(&service, "queryUserById", "userId", &user_id);
    let room = alice.create_room(json!({})).await?;

    let make = async {
        let asked = |asked: &Asked| (asked.parameter("userId") == user_id).then_some(());
        service.sees("queryUserById", asked).await?;
        service.register(&localpart).await?;
        made.send_replace(true);
        Ok::<_, Stop>(())
    };
    let body = json!({"user_id": user_id});
    let invite = alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), body).into_future();
    tokio::try_join!(make, invite)?;
    alice.state(&room, "m.room.member", &user_id).await?.must_hold("/membership", "invite")
}

/// An application service that does not answer is asked again, and whoever waits is told in the end that it took too long.
#[conformance(
    spec = "application-service-api/#querying",
    level = Should,
    severity = Usability,
    needs = "application_services",
    proves = ["application-service-api/querying/2", "application-service-api/querying/3"]
)]
async fn silent_service_is_asked_again(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let alias = service.unused_alias();
    let sought = alias.clone();
    service.answers_any(move |asked| asked.mentions(&sought).then(Reply::nothing));

    let answer = alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).answer().await?;

    let times = service.asked(|asked| asked.is("queryRoomByAlias") && asked.mentions(&alias)).len();
    answer.must(times >= 2, "the question again", || format!("{times} times"))?;
    answer.must_be(408).map(drop)
}

/// Has a query for this answered with a success, as soon as what it asks for was made.
fn answers_when_made(
    service: &ApplicationService,
    operation: &'static str,
    parameter: &'static str,
    sought: &str,
) -> watch::Sender<bool> {
    let (made, sought) = (watch::Sender::new(false), sought.to_owned());
    let ready = made.subscribe();
    service.answers(operation, move |asked| {
        (asked.parameter(parameter) == sought).then(|| Reply::json(json!({})).once(ready.clone()))
    });
    made
}
