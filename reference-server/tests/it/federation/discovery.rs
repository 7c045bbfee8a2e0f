//! How servers find each other by name: SRV records of both kinds, delegation, and the port of those who say nothing.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use rstest::rstest;
use serde_json::json;

use super::world::{Place, World, encoded};

/// How the name `there.example` leads to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The service of servers that speak to each other.
    Srv,
    /// The service that is older.
    OldSrv,
    /// Delegation to a name with a port.
    WellKnown,
    /// Delegation to a name with a service.
    WellKnownSrv,
    /// Nothing but an address.
    Port,
}

#[rstest]
#[case(Way::Srv)]
#[case(Way::OldSrv)]
#[case(Way::WellKnown)]
#[case(Way::WellKnownSrv)]
#[case(Way::Port)]
#[tokio::test]
async fn a_name_leads_to_its_server(#[case] way: Way) {
    let world = World::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nameserver = socket.local_addr().unwrap();
    let port = World::free_port();
    std::thread::spawn(move || answer(&socket, way, port));
    let names = ["there.example", "delegated.example"];
    let there = world
        .server_named("there.example", port, &names, |config| {
            config.outgoing.nameserver = Some(nameserver);
            let federation = config.federation.as_mut().unwrap();
            federation.well_known = match way {
                Way::WellKnown => Some(format!("delegated.example:{port}")),
                Way::WellKnownSrv => Some("delegated.example".to_owned()),
                _ => None,
            };
        })
        .await;
    let here = world
        .server_with(|config| {
            config.outgoing.nameserver = Some(nameserver);
            // The ports below 1024 are not for tests; that of delegation has to be where the answer is, if there is one.
            config.outgoing.well_known_port =
                if matches!(way, Way::WellKnown | Way::WellKnownSrv) { port } else { World::free_port() };
            config.outgoing.default_port = if way == Way::Port { port } else { World::free_port() };
        })
        .await;
    profile_is_found(&here, &there).await;
}

async fn profile_is_found(here: &Place, there: &Place) {
    let (alice, bob) = tokio::join!(here.user("alice"), there.user("bob"));
    let path = format!("/v3/profile/{}/displayname", encoded(&bob.id));
    there.put(&bob, &path, json!({"displayname": "Bob"})).await;
    let (_, answer) = here.get(&alice, &path).await;
    assert_eq!(answer, json!({"displayname": "Bob"}));
}

/// Answers questions about names for as long as the test goes on.
fn answer(socket: &UdpSocket, way: Way, port: u16) {
    let mut buffer = [0; 1500];
    while let Ok((length, asker)) = socket.recv_from(&mut buffer) {
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        reply(socket, asker, &question, way, port);
    }
}

fn reply(socket: &UdpSocket, asker: SocketAddr, question: &Message, way: Way, port: u16) {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.recursion_available = true;
    for query in &question.queries {
        answer.add_query(query.clone());
        let name = query.name().to_utf8();
        let service = match way {
            Way::Srv => "_matrix-fed._tcp.there.example.",
            Way::OldSrv => "_matrix._tcp.there.example.",
            Way::WellKnownSrv => "_matrix-fed._tcp.delegated.example.",
            Way::WellKnown | Way::Port => "",
        };
        let data = match query.query_type() {
            RecordType::A
                if ["there.example.", "delegated.example.", "machine.example.", "localhost."]
                    .contains(&name.as_str()) =>
            {
                Some(RData::A(A(Ipv4Addr::LOCALHOST)))
            }
            RecordType::SRV if name == service => {
                Some(RData::SRV(SRV::new(0, 0, port, Name::from_utf8("machine.example.").unwrap())))
            }
            _ => None,
        };
        match data {
            Some(data) => drop(answer.add_answer(Record::from_rdata(query.name().clone(), 60, data))),
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
    }
    socket.send_to(&answer.to_vec().unwrap(), asker).unwrap();
}
