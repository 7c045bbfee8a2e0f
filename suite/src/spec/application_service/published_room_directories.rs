//! `application-service-api/#published-room-directories`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Call, Homeserver, User, neighbour::application_service::PROTOCOL},
    path,
    verdict::Verdict,
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
    let search_network = || search(&alice, wanted.clone());
    hs.eventually("the room in the directory", search_network, |answer| lists(answer, &room)).await?;
    must_not_list(&search(&alice, json!({})).await?, &room)?;

    service.put(path, json!({"visibility": "private"})).await?;
    hs.eventually("a directory without the room", search_network, |answer| !lists(answer, &room))
        .await
        .map(drop)
}

fn directories() -> [&'static str; 2] {
    ["of the network", "of all networks"]
}

/// Users cannot publish rooms in the directory of a network.
#[conformance(
    spec = "application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid",
    level = Must,
    severity = Security,
    needs = "application_services",
    proves = ["application-service-api/client-server-api-extensions/1"]
)]
async fn directory_is_for_the_service(hs: &Homeserver) -> Verdict {
    hs.application_service()?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    let path = path!("/_matrix/client/v3/directory/list/appservice/{}/{}", PROTOCOL, room);
    alice.put(path, json!({"visibility": "public"})).must_be_refused().await?;
    must_not_list(&search(&alice, json!({"include_all_networks": true})).await?, &room)
}

fn search(alice: &User, body: Value) -> Call {
    alice.post("/_matrix/client/v3/publicRooms", body)
}

fn must_not_list(answer: &Answer, room: &str) -> Verdict {
    let count = answer.must_have_list("/chunk")?.len();
    answer.must(!lists(answer, room), "a directory without the room", || format!("{count} rooms"))
}

fn lists(answer: &Answer, room: &str) -> bool {
    answer.at("/chunk").as_array().is_some_and(|chunk| chunk.iter().any(|entry| entry["room_id"] == room))
}
