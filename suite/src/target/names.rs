//! The names of a run: a name server on loopback that knows what the tests tell it, and loopback addresses that nobody had before.
//!
//! `localhost` is known as well; any other name is not.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, SRV},
    },
};
use tokio::net::UdpSocket;

use super::TargetError;

/// The end of every name of a run: one of those that belong to nobody (RFC 2606).
const ZONE: &str = "names.example";

/// The port of delegation files, where programs without privileges may listen there.
const HTTPS: u16 = 443;

/// How many addresses a run may give out: those of `127.1.0.0` to `127.254.255.255` that end in 1 to 254.
const ADDRESSES: u32 = 254 * 256 * 254;

/// More than any question.
const LONGEST_QUESTION_BYTES: usize = 1500;

/// The name server. It answers until its owner is gone.
#[derive(Debug)]
pub(crate) struct Names {
    address: SocketAddr,
    https_port: u16,
    zone: Arc<Zone>,
    counter: AtomicU32,
    answering: tokio::task::JoinHandle<()>,
}

/// What is known of every name.
#[derive(Debug, Default)]
struct Zone(Mutex<BTreeMap<String, Vec<RData>>>);

impl Names {
    /// Answers questions from now on.
    pub(super) fn open() -> Result<Self, TargetError> {
        let failed =
            |error| TargetError::Unreachable(format!("no port for the name server of the run: {error}"));
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let socket = UdpSocket::from_std(socket).map_err(failed)?;
        let zone = Arc::new(Zone::default());
        zone.add("localhost", RData::A(A(Ipv4Addr::LOCALHOST)));
        let answering = tokio::spawn(answer(socket, zone.clone()));
        let counter = AtomicU32::new(rand::random());
        let here = loopback(counter.fetch_add(1, Ordering::Relaxed));
        let https_port = match TcpListener::bind((here, HTTPS)) {
            Ok(_) => HTTPS,
            Err(_) => super::process::free_port().and_then(|free| free.local_addr()).map_err(failed)?.port(),
        };
        Ok(Names { address, https_port, zone, counter, answering })
    }

    /// Where it is asked.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port at which delegation files are asked for: 443 where the run may listen there.
    pub(crate) fn https_port(&self) -> u16 {
        self.https_port
    }

    /// A name that nobody had before, of an address that nobody had before. Where the system has but one loopback address, the
    /// error says so.
    pub(crate) fn host(&self) -> std::io::Result<(String, Ipv4Addr)> {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let address = loopback(number);
        drop(TcpListener::bind((address, 0))?);
        let name = format!("h{:08x}.{ZONE}", rand::random::<u32>());
        self.zone.add(&name, RData::A(A(address)));
        Ok((name, address))
    }

    /// Leads those who ask for a service of a host, such as `_matrix-fed._tcp`, to a port of another host.
    pub(crate) fn announce(&self, service: &str, host: &str, target: &str, port: u16) {
        if let Ok(target) = Name::from_utf8(format!("{target}.")) {
            self.zone.add(&format!("{service}.{host}"), RData::SRV(SRV::new(10, 5, port, target)));
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// One of the loopback addresses.
fn loopback(number: u32) -> Ipv4Addr {
    let number = number % ADDRESSES;
    let part = |of: u32, size: u32| u8::try_from(of % size).unwrap_or_default();
    Ipv4Addr::new(127, part(number / 254 / 256, 254) + 1, part(number / 254, 256), part(number, 254) + 1)
}

impl Zone {
    fn add(&self, name: &str, data: RData) {
        let mut zone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        zone.entry(name.to_ascii_lowercase()).or_default().push(data);
    }

    fn reply(&self, question: &Message) -> Message {
        let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
        reply.metadata.recursion_available = true;
        reply.metadata.recursion_desired = question.metadata.recursion_desired;
        let zone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for query in &question.queries {
            reply.add_query(query.clone());
            let name = query.name().to_utf8().to_ascii_lowercase();
            let Some(known) = zone.get(name.trim_end_matches('.')) else {
                reply.metadata.response_code = ResponseCode::NXDomain;
                continue;
            };
            let wanted = |data: &&RData| {
                query.query_type() == RecordType::ANY || data.record_type() == query.query_type()
            };
            for data in known.iter().filter(wanted) {
                // Nobody is to remember an answer: tests change what is known.
                reply.add_answer(Record::from_rdata(query.name().clone(), 0, data.clone()));
            }
        }
        reply
    }
}

/// What cannot be read is no question, and stays without an answer.
async fn answer(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; LONGEST_QUESTION_BYTES];
    loop {
        let Ok((length, asker)) = socket.recv_from(&mut buffer).await else { continue };
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        if let Ok(reply) = zone.reply(&question).to_vec() {
            let _ = socket.send_to(&reply, asker).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::Query;

    use super::*;

    fn asked(zone: &Zone, name: &str, kind: RecordType) -> (ResponseCode, usize) {
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_utf8(name).expect("a name"), kind));
        let reply = zone.reply(&question);
        (reply.metadata.response_code, reply.answers.len())
    }

    #[test]
    fn what_was_told_is_known() {
        let zone = Zone::default();
        zone.add("here.example", RData::A(A(Ipv4Addr::LOCALHOST)));
        assert_eq!(asked(&zone, "Here.Example.", RecordType::A), (ResponseCode::NoError, 1));
        assert_eq!(asked(&zone, "here.example.", RecordType::AAAA), (ResponseCode::NoError, 0));
        assert_eq!(asked(&zone, "elsewhere.example.", RecordType::A), (ResponseCode::NXDomain, 0));
    }

    #[test]
    fn addresses_are_of_loopback_and_differ() {
        let some: std::collections::BTreeSet<_> = (65_000..66_000).map(loopback).collect();
        assert!(some.iter().all(|address| address.is_loopback() && *address != Ipv4Addr::LOCALHOST));
        assert_eq!(some.len(), 1000);
    }
}
