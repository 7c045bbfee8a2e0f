//! What is sent to other servers of this one's own accord: events in order, and the EDUs between them.
//!
//! Each server has a queue in the store, to which events and EDUs are added in the same transaction of the database that
//! makes them; so a restart loses nothing. One task for each server empties it, a transaction at a time
//! (server-server-api/#transactions): the same one until it has arrived, with growing pauses in between, which a sign of
//! life from the other server cuts short. What is of interest only now, as who is typing, is not kept, and dropped when
//! the server can not be reached.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::clock::now_ms;
use crate::federation::requests::PeerError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::deliveries::{self, Parcel};
use crate::store::{Store, StoreError};
use crate::token;

/// The most events in a transaction (server-server-api/#transactions).
const MAX_PDUS: usize = 50;

/// The most EDUs in a transaction.
const MAX_EDUS: usize = 100;

/// How long a transaction may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The way to the queues.
#[derive(Debug)]
pub(crate) struct Delivery(mpsc::UnboundedSender<(String, Signal)>);

/// What the task of a queue hears.
#[derive(Debug)]
enum Signal {
    /// There is more in the store.
    More,
    /// Something that is not kept.
    Passing(Value),
    /// The server has been heard of.
    SignOfLife,
}

/// Where the signals come out; [`start`] takes it.
#[derive(Debug)]
pub(crate) struct Outlet(mpsc::UnboundedReceiver<(String, Signal)>);

impl Delivery {
    /// The way to the queues, and its end.
    pub(crate) fn new() -> (Self, Outlet) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Outlet(receiver))
    }

    /// Tells that there is more to be sent to these servers.
    pub(crate) fn wake(&self, destinations: impl IntoIterator<Item = String>) {
        destinations.into_iter().for_each(|destination| self.signal(destination, Signal::More));
    }

    /// Sends an EDU to these servers if they can be reached now.
    pub(crate) fn send_passing(&self, destinations: impl IntoIterator<Item = String>, edu: &Value) {
        for destination in destinations {
            self.signal(destination, Signal::Passing(edu.clone()));
        }
    }

    /// Tells that a server is there.
    pub(crate) fn heard_of(&self, server_name: &str) {
        self.signal(server_name.to_owned(), Signal::SignOfLife);
    }

    fn signal(&self, destination: String, signal: Signal) {
        // Without a listener for other servers, or when everything ends, nobody takes it.
        let _ = self.0.send((destination, signal));
    }
}

/// Takes up all queues, and hands signals to them until the server ends.
pub(crate) async fn start(server: &Arc<Homeserver>, outlet: Outlet) -> Result<(), StoreError> {
    let waiting = server.store.read(deliveries::destinations).await?;
    server.delivery.wake(waiting);
    tokio::spawn(distribute(Arc::downgrade(server), outlet));
    Ok(())
}

async fn distribute(server: Weak<Homeserver>, mut outlet: Outlet) {
    let mut queues: HashMap<String, mpsc::UnboundedSender<Signal>> = HashMap::new();
    while let Some((destination, signal)) = outlet.0.recv().await {
        if matches!(signal, Signal::SignOfLife) && !queues.contains_key(&destination) {
            continue;
        }
        let queue = queues.entry(destination).or_insert_with_key(|destination| {
            let (sender, signals) = mpsc::unbounded_channel();
            let queue = Queue {
                server: server.clone(),
                destination: destination.clone(),
                signals,
                passing: Vec::new(),
            };
            tokio::spawn(queue.run());
            sender
        });
        let _ = queue.send(signal);
    }
}

/// The queue of one server.
struct Queue {
    server: Weak<Homeserver>,
    destination: String,
    signals: mpsc::UnboundedReceiver<Signal>,
    passing: Vec<Value>,
}

/// A transaction, and what of the store is in it.
struct Transaction {
    id: String,
    content: Value,
    sequences: Vec<i64>,
}

impl Queue {
    async fn run(mut self) {
        while let Some(signal) = self.signals.recv().await {
            self.hear(signal);
            while let Ok(signal) = self.signals.try_recv() {
                self.hear(signal);
            }
            let Some(server) = self.server.upgrade() else { return };
            if let Err(error) = self.empty(server).await {
                tracing::error!("queue of {} stands still: {error}", self.destination);
            }
        }
    }

    fn hear(&mut self, signal: Signal) {
        if let Signal::Passing(edu) = signal {
            self.passing.push(edu);
        }
    }

    async fn empty(&mut self, server: Arc<Homeserver>) -> Result<(), StoreError> {
        let mut server = Some(server);
        let mut pause = None;
        let mut open: Option<Transaction> = None;
        loop {
            let Some(strong) = server.take().or_else(|| self.server.upgrade()) else { return Ok(()) };
            let mut transaction = match open.take() {
                Some(transaction) => transaction,
                None => match self.next(&strong.store, strong.name()).await? {
                    Some(transaction) => transaction,
                    None => return Ok(()),
                },
            };
            match transaction.send(&strong, &self.destination).await {
                Ok(()) => {
                    let sequences = transaction.sequences;
                    strong.store.write(move |c| deliveries::strike(c, &sequences)).await?;
                    pause = None;
                    server = Some(strong);
                }
                Err(error) => {
                    tracing::info!("{} does not take transactions: {error}", self.destination);
                    let outgoing = &strong.config.outgoing;
                    let first = Duration::from_millis(outgoing.retry_after_ms);
                    let most = Duration::from_millis(outgoing.retry_at_most_ms);
                    let next = pause.map_or(first, |last: Duration| (last * 2).min(most));
                    pause = Some(next);
                    drop(strong);
                    self.passing.clear();
                    if transaction.sequences.is_empty() {
                        return Ok(());
                    }
                    if commits(Fault::TransactionsRenamed) {
                        transaction.id = token::opaque(16);
                    }
                    open = Some(transaction);
                    self.wait(error.retry_after().unwrap_or(next)).await;
                }
            }
        }
    }

    /// Waits until it is time to try again.
    async fn wait(&mut self, pause: Duration) {
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                signal = self.signals.recv() => match signal {
                    Some(Signal::SignOfLife) | None => return,
                    Some(Signal::More | Signal::Passing(_)) => {}
                },
            }
        }
    }

    /// The next transaction, if there is anything to send.
    async fn next(&mut self, store: &Store, origin: &str) -> Result<Option<Transaction>, StoreError> {
        let destination = self.destination.clone();
        let max_edus = if commits(Fault::TransactionsUnlimited) { 10 * MAX_EDUS } else { MAX_EDUS };
        let waiting = store.read(move |c| deliveries::next(c, &destination, MAX_PDUS + max_edus)).await?;
        let (mut pdus, mut edus, mut sequences) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in waiting {
            match delivery.parcel {
                Parcel::Pdu(_) if pdus.len() == MAX_PDUS => break,
                Parcel::Edu(_) if edus.len() == max_edus => break,
                Parcel::Pdu(pdu) => pdus.push(serde_json::from_str::<Value>(&pdu)?),
                Parcel::Edu(edu) => edus.push(serde_json::from_str::<Value>(&edu)?),
            }
            sequences.push(delivery.sequence);
        }
        let fitting = self.passing.len().min(max_edus - edus.len());
        edus.extend(self.passing.drain(..fitting));
        if pdus.is_empty() && edus.is_empty() {
            return Ok(None);
        }
        let content = json!({"origin": origin, "origin_server_ts": now_ms(), "pdus": pdus, "edus": edus});
        Ok(Some(Transaction { id: token::opaque(16), content, sequences }))
    }
}

impl Transaction {
    async fn send(&self, server: &Homeserver, destination: &str) -> Result<(), PeerError> {
        let path = format!("/_matrix/federation/v1/send/{}", self.id);
        let answer = server.ask_within(TIMEOUT, destination, Method::PUT, &path, Some(&self.content)).await?;
        let errors = answer.get("pdus").and_then(Value::as_object).into_iter().flatten();
        for (event_id, outcome) in errors.filter(|(_, outcome)| outcome.get("error").is_some()) {
            tracing::info!("{destination} did not take {event_id}: {}", outcome["error"]);
        }
        Ok(())
    }
}

/// Puts an EDU into the queues of these servers, inside a transaction of the store; [`Delivery::wake`] has to follow.
pub(crate) fn enqueue(
    connection: &rusqlite::Connection,
    destinations: &BTreeSet<String>,
    edu_type: &str,
    content: &Value,
) -> Result<(), StoreError> {
    if destinations.is_empty() {
        return Ok(());
    }
    deliveries::add_edu(
        connection,
        destinations,
        &json!({"edu_type": edu_type, "content": content}).to_string(),
    )
}
