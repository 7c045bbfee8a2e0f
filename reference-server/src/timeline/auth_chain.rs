//! The events on which others rest.

use std::collections::HashSet;

use super::Record;
use crate::rooms::event::Pdu;

impl Record {
    /// The auth chains of some events (server-server-api/#auth-chain), without those events, unless others of them rest
    /// on one; each event as a redaction left it.
    pub(crate) fn auth_chain<'a>(&self, of: impl IntoIterator<Item = &'a Pdu>) -> Vec<Pdu> {
        let mut open: Vec<String> = of.into_iter().flat_map(Pdu::auth_events).cloned().collect();
        let mut seen: HashSet<String> = HashSet::new();
        let mut chain = Vec::new();
        while let Some(event_id) = open.pop() {
            if seen.contains(&event_id) {
                continue;
            }
            if let Some(known) = self.graph.known(&event_id) {
                open.extend(known.pdu.auth_events().iter().cloned());
                chain.push(self.left_of(&known.pdu).clone());
            }
            seen.insert(event_id);
        }
        chain
    }
}
