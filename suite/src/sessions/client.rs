//! A client of a user: one device, one filter, and what it makes of all that it is told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    cast::{Sync, User},
    verdict::Stop,
};

/// The filters, one for each way of syncing. Clients take turns.
const FILTERS: [Option<&str>; 4] = [
    None,
    Some(r#"{"room":{"timeline":{"limit":1}}}"#),
    Some(r#"{"room":{"timeline":{"limit":2},"state":{"lazy_load_members":true}}}"#),
    Some(r#"{"room":{"timeline":{"limit":3}},"presence":{"types":[]}}"#),
];

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) user: User,
    filter: Option<&'static str>,
    pub(super) is_lazy: bool,
    pub(super) view: View,
    /// The view at every token but the last, oldest first.
    earlier: Vec<View>,
    /// Whether it ever went back to an earlier token.
    pub(super) went_back: bool,
    /// Every event that was ever in a timeline, by room.
    pub(super) ever_seen: BTreeMap<String, BTreeSet<String>>,
}

/// What a client knows.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) token: Option<String>,
    pub(super) rooms: BTreeMap<String, Room>,
    /// The messages to its device, in the order in which they came.
    pub(super) to_device: Vec<String>,
    /// Those whose devices have changed since the first token.
    pub(super) changed: BTreeSet<String>,
}

/// What a client knows of a room.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    pub(super) is_joined: bool,
    /// The ids of state events by type and state key.
    pub(super) state: BTreeMap<(String, String), String>,
    pub(super) pieces: Vec<Piece>,
    pub(super) joined_count: Option<u64>,
}

/// The timeline of one response.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// There may be events between this piece and the one before it.
    pub(super) has_gap: bool,
    /// The user has just come or gone: the piece may begin with what an earlier one had.
    pub(super) may_overlap: bool,
    pub(super) prev_batch: Option<String>,
    pub(super) events: Vec<String>,
}

impl Client {
    pub(super) fn new(user: User, number: usize) -> Self {
        let filter = FILTERS[number % FILTERS.len()];
        Client {
            user,
            filter,
            is_lazy: filter.is_some_and(|filter| filter.contains("lazy")),
            view: View::default(),
            earlier: Vec::new(),
            went_back: false,
            ever_seen: BTreeMap::new(),
        }
    }

    /// Asks what is new, waiting for so long where there is nothing.
    pub(super) async fn sync(&mut self, timeout_ms: u64) -> Result<Sync, Stop> {
        let mut request = self.user.sync_request();
        if let Some(token) = &self.view.token {
            request = request.query("since", token).query("timeout", timeout_ms.to_string());
        }
        if let Some(filter) = self.filter {
            request = request.query("filter", filter);
        }
        let sync = request.await?;
        let token = sync.answer().must_have_text("/next_batch")?;
        self.earlier.push(self.view.clone());
        self.view.token = Some(token);
        self.absorb(&sync);
        Ok(sync)
    }

    /// Goes back by so many tokens, and knows nothing of what came since.
    pub(super) fn go_back(&mut self, tokens: usize) {
        // The first view is that of a client that has not asked yet.
        let kept = self.earlier.len().saturating_sub(tokens).max(1);
        if kept < self.earlier.len() {
            self.view = self.earlier.swap_remove(kept);
            self.earlier.truncate(kept);
            self.went_back = true;
        }
    }

    fn absorb(&mut self, sync: &Sync) {
        let answer = sync.answer();
        let sections = [("join", true), ("leave", false)];
        for (section, is_joined) in sections {
            let rooms = answer.at(&format!("/rooms/{section}")).as_object();
            for (room_id, news) in rooms.into_iter().flatten() {
                let ever_seen = self.ever_seen.entry(room_id.clone()).or_default();
                let room = self.view.rooms.entry(room_id.clone()).or_default();
                room.absorb(news, is_joined, ever_seen);
            }
        }
        let messages = sync.to_device().iter();
        let ids = messages.filter_map(|event| event["content"]["id"].as_str()).map(str::to_owned);
        self.view.to_device.extend(ids);
        let changed = answer.at("/device_lists/changed").as_array();
        self.view.changed.extend(changed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    }
}

impl Room {
    fn absorb(&mut self, news: &Value, is_joined: bool, ever_seen: &mut BTreeSet<String>) {
        let list = |pointer: &str| {
            let events = news.pointer(pointer).and_then(Value::as_array);
            events.into_iter().flatten()
        };
        for event in list("/state/events").chain(list("/timeline/events")) {
            let text = |name: &str| event[name].as_str().map(str::to_owned);
            if let (Some(kind), Some(key), Some(id)) = (text("type"), text("state_key"), text("event_id")) {
                self.state.insert((kind, key), id);
            }
        }
        let mut events = Vec::new();
        for event in list("/timeline/events") {
            events.extend(event["event_id"].as_str().map(str::to_owned));
        }
        ever_seen.extend(events.iter().cloned());
        let timeline = &news["timeline"];
        // Whoever comes back to a room has missed what happened meanwhile, whatever the response says.
        let may_overlap = self.is_joined != is_joined;
        let has_gap = timeline["limited"] == true || may_overlap;
        if has_gap || !events.is_empty() {
            let prev_batch = timeline["prev_batch"].as_str().map(str::to_owned);
            self.pieces.push(Piece { has_gap, may_overlap, prev_batch, events });
        }
        self.is_joined = is_joined;
        self.joined_count =
            news.pointer("/summary/m.joined_member_count").and_then(Value::as_u64).or(self.joined_count);
    }
}
