//! `application-service-api/#published-room-directories`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, neighbour::application_service::PROTOCOL},
    path,
    verdict::{Stop, Verdict},
};

/// A room that an application service publishes is in the directory of its network, and in that of all networks, and
/// not in the homeserver's own.
#[conformance(
    spec = "application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid",
    level = Must,
    severity = Interop,
    needs = "application_services",
    each = directories
)]
async fn room_is_published_in_the_network(hs: &Homeserver, directory: &'static str) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    let path = path!("/_matrix/client/v3/directory/list/appservice/{}/{}", PROTOCOL, room);

    let wanted = match directory {
        "of the network" => {
            let networks = alice.get("/_matrix/client/v3/thirdparty/protocols").await?;
            let instance = networks.must_have_text(&format!("/{PROTOCOL}/instances/0/instance_id"))?;
            json!({"third_party_instance_id": instance})
        }
        _ => json!({"include_all_networks": true}),
    };
    service.put(path.clone(), json!({"visibility": "public"})).await?;
    must_be_listed(&search(&alice, wanted.clone()).await?, &room, true)?;
    must_be_listed(&search(&alice, json!({})).await?, &room, false)?;

    service.put(path, json!({"visibility": "private"})).await?;
    must_be_listed(&search(&alice, wanted).await?, &room, false)
}

fn directories() -> [&'static str; 2] {
    ["of the network", "of all networks"]
}

/// Users cannot publish rooms in the directory of a network.
#[conformance(
    spec = "application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid",
    level = Must,
    severity = Security,
    needs = "application_services"
)]
async fn directory_is_for_the_service(hs: &Homeserver) -> Verdict {
    hs.application_service()?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    let path = path!("/_matrix/client/v3/directory/list/appservice/{}/{}", PROTOCOL, room);
    alice.put(path, json!({"visibility": "public"})).must_be_refused().await?;
    must_be_listed(&search(&alice, json!({"include_all_networks": true})).await?, &room, false)
}

async fn search(alice: &crate::cast::User, body: Value) -> Result<Answer, Stop> {
    alice.post("/_matrix/client/v3/publicRooms", body).await
}

fn must_be_listed(answer: &Answer, room: &str, expected: bool) -> Verdict {
    let chunk = answer.must_have_list("/chunk")?;
    let listed = chunk.iter().any(|entry| entry["room_id"] == room);
    let what = if expected { "the room in the directory" } else { "a directory without the room" };
    answer.must(listed == expected, what, || format!("{} rooms", chunk.len()))
}
