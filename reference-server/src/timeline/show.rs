//! Events as a client sees them: client-server-api/#room-event-format.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::graph::{NOTHING, Standing};
use super::{Entry, Record};
use crate::clock::now_ms;
use crate::misbehave::{Fault, commits};
use crate::rooms::event::Pdu;
use crate::rooms::state::StateLookup;

/// Who looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewer<'a> {
    /// The user.
    pub(crate) user_id: &'a str,
    /// The user's device, which hears the transaction ids of what it sent.
    pub(crate) device_id: &'a str,
    /// Whom the user does not want to hear.
    pub(crate) ignored: &'a BTreeSet<String>,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// With the room id.
    Client,
    /// Without it, because the answer says which room it is.
    InRoom,
    /// As servers exchange it.
    Federation,
}

impl Record {
    /// An event as somebody sees it.
    pub(crate) fn show(&self, entry: &Entry, viewer: Viewer<'_>, format: Format) -> Map<String, Value> {
        let mut event = if self.is_erased(&entry.pdu, viewer.user_id) {
            bare(&entry.pdu.redacted(), format)
        } else {
            bare(&entry.pdu, format)
        };
        if format != Format::Federation {
            event.insert("unsigned".to_owned(), Value::Object(self.unsigned(entry, viewer, format)));
        }
        event
    }

    /// A state event, of which nothing is known but that it is state at the end or at some point.
    pub(crate) fn show_state(&self, pdu: &Pdu, viewer: Viewer<'_>, format: Format) -> Map<String, Value> {
        let placed = pdu.state_key().and_then(|key| self.history.place_of(pdu, key));
        let known = self.graph.known(pdu.event_id());
        let entry = Entry {
            position: placed.unwrap_or(self.last),
            pdu: self.left_of(pdu).clone(),
            standing: Standing::Accepted,
            states: known.map_or((NOTHING, NOTHING), |known| known.states),
            redacted_because: None,
            sent_by: None,
        };
        self.show(&entry, viewer, format)
    }

    /// Whether the sender asked for erasure before this user first joined: newcomers see as much as is
    /// left of a redacted event (client-server-api/#post_matrixclientv3accountdeactivate).
    fn is_erased(&self, pdu: &Pdu, user_id: &str) -> bool {
        let erased = self.erased.get(pdu.sender());
        erased.is_some_and(|erased| {
            !commits(Fault::ErasureIgnored) && !self.history.joined_until(user_id, *erased)
        })
    }

    /// A user's membership when an event was sent; of one whose place is not known, when this server came to know it.
    fn membership_at(&self, entry: &Entry, user_id: &str) -> String {
        match entry.states.1 {
            _ if commits(Fault::MembershipOfViewerWrong) => "join".to_owned(),
            NOTHING => self.history.at(entry.position).membership(user_id).to_owned(),
            after => self.graph.state(after).membership(user_id).to_owned(),
        }
    }

    fn unsigned(&self, entry: &Entry, viewer: Viewer<'_>, format: Format) -> Map<String, Value> {
        let mut unsigned = Map::new();
        unsigned.insert("age".to_owned(), json!(now_ms() - entry.pdu.origin_server_ts()));
        unsigned.insert("membership".to_owned(), self.membership_at(entry, viewer.user_id).into());
        if let Some(state_key) = entry.pdu.state_key() {
            let before = self.graph.state(entry.states.0);
            if let Some(replaced) =
                before.find(entry.pdu.event_type(), state_key).filter(|_| !commits(Fault::PrevContentOmitted))
            {
                let left = self.left_of(replaced);
                let erased = self.is_erased(left, viewer.user_id).then(|| left.redacted());
                let replaced = erased.as_ref().unwrap_or(left);
                let content = replaced.object().get("content").cloned().unwrap_or_default();
                unsigned.insert("prev_content".to_owned(), content);
                unsigned.insert("replaces_state".to_owned(), replaced.event_id().into());
            }
        }
        if let Some((device_id, transaction_id)) = &entry.sent_by
            && entry.pdu.sender() == viewer.user_id
            && !commits(Fault::TransactionIdNotTold)
            && (device_id == viewer.device_id || commits(Fault::TransactionIdToldToAllDevices))
        {
            unsigned.insert("transaction_id".to_owned(), transaction_id.as_str().into());
        }
        let bundle = self.bundle(entry, viewer, format);
        if !bundle.is_empty() && !commits(Fault::AggregationsOmitted) {
            unsigned.insert("m.relations".to_owned(), bundle.into());
        }
        if let Some(redaction) =
            entry.redacted_because.as_ref().filter(|_| !commits(Fault::RedactedBecauseOmitted))
        {
            unsigned.insert("redacted_because".to_owned(), Value::Object(bare(redaction, format)));
        }
        unsigned
    }
}

fn bare(pdu: &Pdu, format: Format) -> Map<String, Value> {
    match format {
        Format::Client => pdu.to_client(),
        Format::InRoom => pdu.to_client_without_room_id(),
        Format::Federation => pdu.object().clone(),
    }
}
