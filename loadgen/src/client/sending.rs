//! Messages, and what goes with them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Turn, nowhere};
use crate::{ledger::Sent, message, recorder::Measured, request};

impl Turn<'_> {
    pub(super) async fn send(&mut self) {
        let content = message::text(self.chance(3), self.deed.action.bytes, Some(&self.mark()));
        self.send_event("m.room.message", &content).await;
    }

    pub(super) async fn send_encrypted(&mut self) {
        let content = message::encrypted(self.chance(3), self.deed.action.bytes, &self.mark());
        self.send_event("m.room.encrypted", &content).await;
    }

    async fn send_event(&mut self, kind: &str, content: &Value) {
        #[derive(Deserialize)]
        struct EventId {
            event_id: String,
        }
        let Some((room_place, room)) = self.room() else { return self.fails(&nowhere()) };
        let path = format!("/_matrix/client/v3/rooms/{}/send/{kind}/{}", room.segment, self.mark());
        let send = request::put(&path, Some(&self.user().bearer), content);
        let receivers = room.watchers.clone();
        self.owe(Some(room_place), receivers);
        self.owe_peers(room_place);
        let answer = self.measure(send).await;
        self.settle(answer.as_deref());
        if let Some(Ok(EventId { event_id })) = answer.map(|answer| serde_json::from_slice(&answer)) {
            self.population().rooms[room_place as usize].saw(&event_id);
        }
    }

    pub(super) async fn message_device(&mut self) {
        let Some(receiver) = self.room().and_then(|(_, room)| self.other_in(room)) else {
            return self.fails(&nowhere());
        };
        let content = message::encrypted(self.chance(3), self.deed.action.bytes, &self.mark());
        let to = &self.population().users[receiver as usize];
        let body = json!({"messages": {&to.id: {&to.device: content}}});
        let path = format!("/_matrix/client/v3/sendToDevice/m.room.encrypted/{}", self.mark());
        let send = request::put(&path, Some(&self.user().bearer), &body);
        // Whoever is not online gets it later than anybody would wait.
        let online = self.traffic.watch.is_online(receiver);
        self.owe(None, if online { [receiver].into() } else { Arc::default() });
        let answer = self.measure(send).await;
        self.settle(answer.as_deref());
    }

    pub(super) async fn typing(&mut self) {
        let Some((_, room)) = self.room() else { return self.fails(&nowhere()) };
        let path =
            format!("/_matrix/client/v3/rooms/{}/typing/{}", room.segment, request::segment(&self.user().id));
        let body = json!({"typing": true, "timeout": 5_000});
        let typing = request::put(&path, Some(&self.user().bearer), &body);
        self.measure(typing).await;
    }

    pub(super) async fn receipt(&mut self) {
        let Some((_, room)) = self.room() else { return self.fails(&nowhere()) };
        let event_id = room.latest();
        if event_id.is_empty() {
            // Nobody has seen anything in it, so there is nothing to be read.
            return self.recorder().count("receipts for empty rooms left out", 1);
        }
        let path = format!(
            "/_matrix/client/v3/rooms/{}/receipt/m.read/{}",
            room.segment,
            request::segment(&event_id)
        );
        let receipt = request::post(&path, Some(&self.user().bearer), &json!({}));
        self.measure(receipt).await;
    }

    /// What this arrival's message is recognised by, and its transaction id.
    pub(super) fn mark(&self) -> String {
        format!("{}{}", self.traffic.watch.run, self.number)
    }

    fn owe(&self, room: Option<u32>, receivers: Arc<[u32]>) {
        let Some(operation): Option<Measured> = self.deed.delivery else { return };
        let sent = Sent { operation, moments: self.moments, room, sender: self.place, receivers };
        self.traffic.watch.ledger.sends(self.number, &sent);
    }

    fn settle(&self, answer: Option<&[u8]>) {
        let watch = &self.traffic.watch;
        for ledger in [Some(&watch.ledger), watch.outward.as_ref()].into_iter().flatten() {
            match answer {
                Some(_) => ledger.acknowledged(self.number),
                None => ledger.failed(self.number),
            }
        }
    }
}
