//! One room in the answer.

use serde_json::{Map, Value, json};

use super::state::Span;
use super::{Context, event};
use crate::error::MatrixError;
use crate::rooms::state::StateLookup;
use crate::stream::{self, Position};
use crate::timeline::{Entry, Format, Record, Timeline};

/// Events of a room that one answer carries when the client names no number, and at most.
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 1000;

/// Stripped state tells these of a room (client-server-api/#stripped-state).
const STRIPPED: [&str; 7] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
];

/// How the user stands to the room.
struct Standing {
    membership: String,
    /// Since which position.
    position: Position,
    /// The membership at the time of the last answer.
    before: String,
    forgotten: bool,
    invited_by: Option<String>,
}

/// The timeline of the answer.
pub(super) struct Chunk {
    pub(super) entries: Vec<Entry>,
    limited: bool,
    prev_batch: Position,
}

impl Context<'_> {
    /// What there is to tell of a room, and the section that it belongs to.
    pub(super) async fn room(
        &self,
        timeline: &Timeline,
    ) -> Result<Option<(&'static str, Map<String, Value>)>, MatrixError> {
        let Some(standing) = self.standing(&timeline.record()) else { return Ok(None) };
        let since = self.question.since;
        let is_new = since.is_none_or(|since| standing.position > since);
        Ok(match standing.membership.as_str() {
            "join" => self.joined(timeline, &standing).await?.map(|news| ("join", news)),
            "invite" if is_new && !self.is_ignored(standing.invited_by.as_deref()) => {
                Some(("invite", self.stripped(timeline, "invite_state")))
            }
            "knock" if is_new => Some(("knock", self.stripped(timeline, "knock_state"))),
            "leave" | "ban" if !standing.forgotten => {
                let asked = since.is_none() && self.question.filter.room.include_leave;
                let left = since.is_some() && is_new;
                if asked || left { Some(("leave", self.left(timeline, &standing).await?)) } else { None }
            }
            _ => None,
        })
    }

    fn standing(&self, record: &Record) -> Option<Standing> {
        let user_id = &self.requester.user_id;
        let (position, member) = record.history.at(self.until).placed("m.room.member", user_id)?;
        let before = record.history.at(self.question.since.unwrap_or(0));
        let membership = member.content_str("membership")?.to_owned();
        Some(Standing {
            invited_by: Some(member.sender().to_owned()),
            membership,
            position,
            before: before.membership(user_id).to_owned(),
            forgotten: record.is_forgotten_by(user_id),
        })
    }

    async fn joined(
        &self,
        timeline: &Timeline,
        standing: &Standing,
    ) -> Result<Option<Map<String, Value>>, MatrixError> {
        let newly = self.question.since.is_none() || standing.before != "join";
        let since = if newly { 0 } else { self.question.since.unwrap_or(0) };
        let quiet = timeline.record().last <= since;
        let whole = newly || self.question.full_state;
        let mut news = Map::new();
        if !quiet || whole {
            let chunk = self.chunk(timeline, since, self.until, None).await?;
            let span = Span { since, until: self.until, whole };
            self.insert_events(timeline, &chunk, &span, &mut news);
            if let Some(summary) = self.summary(&timeline.record(), &span) {
                news.insert("summary".to_owned(), summary);
            }
            if !whole && chunk.entries.is_empty() && !has_news(&news) {
                news.clear();
            }
        }
        let ephemeral = self.ephemeral(timeline, since).await?;
        if !ephemeral.is_empty() {
            news.insert("ephemeral".to_owned(), json!({"events": ephemeral}));
        }
        let account_data = self.account_data_of(timeline, newly).await?;
        if !account_data.is_empty() {
            news.insert("account_data".to_owned(), json!({"events": account_data}));
        }
        if news.is_empty() && !self.read_since(timeline, since) {
            return Ok(None);
        }
        self.insert_unread(timeline, standing.position, &mut news).await?;
        Ok(Some(news))
    }

    /// A room that the user has left, up to there.
    async fn left(
        &self,
        timeline: &Timeline,
        standing: &Standing,
    ) -> Result<Map<String, Value>, MatrixError> {
        let newly = self.question.since.is_none() || standing.before != "join";
        let since = if newly { 0 } else { self.question.since.unwrap_or(0) };
        let until = standing.position;
        let chunk = self.chunk(timeline, since, until, Some(until)).await?;
        let mut news = Map::new();
        let was_member = timeline.record().history.left(&self.requester.user_id).is_some();
        if was_member {
            let span = Span { since, until, whole: newly || self.question.full_state };
            self.insert_events(timeline, &chunk, &span, &mut news);
        } else {
            // Whoever never was inside sees no more than the end of their invitation.
            let nothing = Span { since: until, until, whole: false };
            self.insert_events(timeline, &chunk, &nothing, &mut news);
        }
        let account_data = self.account_data_of(timeline, newly).await?;
        if !account_data.is_empty() {
            news.insert("account_data".to_owned(), json!({"events": account_data}));
        }
        Ok(news)
    }

    fn insert_events(&self, timeline: &Timeline, chunk: &Chunk, span: &Span, news: &mut Map<String, Value>) {
        let record = timeline.record();
        let state = self.state(&record, timeline.room_id(), chunk, span);
        let events: Vec<_> = chunk
            .entries
            .iter()
            .map(|entry| self.trim(record.show(entry, self.requester.viewer(), self.format())))
            .collect();
        news.insert(
            "timeline".to_owned(),
            json!({"events": events, "limited": chunk.limited, "prev_batch": stream::token(chunk.prev_batch)}),
        );
        let name = if self.question.state_after { "state_after" } else { "state" };
        news.insert(name.to_owned(), json!({"events": state}));
    }

    /// The last events after `since` and up to `until` that the user may see and wants to; `always`
    /// is shown whatever the room's history visibility says: it is the user's own departure.
    async fn chunk(
        &self,
        timeline: &Timeline,
        since: Position,
        until: Position,
        always: Option<Position>,
    ) -> Result<Chunk, MatrixError> {
        let filter = &self.question.filter.room.timeline;
        let limit = filter.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let mut entries = Vec::new();
        let mut limited = false;
        let mut from = until;
        'reading: loop {
            let read = timeline.until(&self.server.store, from, limit + 1).await?;
            let exhausted = read.len() <= limit;
            let record = timeline.record();
            for entry in read {
                if entry.position <= since {
                    break 'reading;
                }
                from = entry.position - 1;
                let shown = always == Some(entry.position) || record.may_see(&entry, &self.requester.user_id);
                let ignored = entry.pdu.state_key().is_none() && self.is_ignored(Some(entry.pdu.sender()));
                if !shown || ignored || !filter.admits(entry.pdu.object(), timeline.room_id()) {
                    continue;
                }
                if entries.len() == limit {
                    limited = true;
                    break 'reading;
                }
                entries.push(entry);
            }
            if exhausted {
                break;
            }
        }
        entries.reverse();
        let prev_batch = entries.first().map_or(until, |first| first.position - 1);
        Ok(Chunk { entries, limited, prev_batch })
    }

    fn stripped(&self, timeline: &Timeline, name: &str) -> Map<String, Value> {
        let record = timeline.record();
        let state = record.history.at(self.until);
        let told = STRIPPED.iter().filter_map(|event_type| state.find(event_type, ""));
        let own = state.placed("m.room.member", &self.requester.user_id).map(|(_, member)| member);
        // Whoever invited is shown as well, with name and picture.
        let other = own
            .filter(|member| member.sender() != self.requester.user_id)
            .and_then(|member| state.find("m.room.member", member.sender()));
        let events: Vec<_> =
            told.chain(own).chain(other).map(|pdu| Value::Object(pdu.to_stripped_state())).collect();
        Map::from_iter([(name.to_owned(), json!({"events": events}))])
    }

    async fn account_data_of(&self, timeline: &Timeline, newly: bool) -> Result<Vec<Value>, MatrixError> {
        let room_id = timeline.room_id().to_owned();
        let changed = if newly && self.question.since.is_some() {
            let (user_id, until) = (self.requester.user_id.clone(), self.until);
            let all =
                move |c: &rusqlite::Connection| crate::store::account_data::changed(c, &user_id, 0, until);
            let all = self.server.store.read(all).await?;
            all.into_iter().filter(|data| data.room_id == room_id).collect()
        } else {
            self.account_data.get(&room_id).cloned().unwrap_or_default()
        };
        let filter = &self.question.filter.room.account_data;
        let events = changed.into_iter().map(event).filter(|event| filter.admits(event, &room_id));
        Ok(events.map(Value::Object).collect())
    }

    pub(super) fn is_ignored(&self, user_id: Option<&str>) -> bool {
        user_id.is_some_and(|user_id| self.ignored.contains(user_id))
    }

    pub(super) fn format(&self) -> Format {
        if self.question.filter.federation_format { Format::Federation } else { Format::InRoom }
    }

    /// Leaves of an event what `event_fields` of the filter names.
    pub(super) fn trim(&self, event: Map<String, Value>) -> Value {
        match &self.question.filter.event_fields {
            None => Value::Object(event),
            Some(fields) => Value::Object(select(&event, fields)),
        }
    }
}

/// Whether state or summary have something in them.
fn has_news(news: &Map<String, Value>) -> bool {
    let events = |name: &str| news.get(name).and_then(|part| part.get("events")?.as_array());
    let state = events("state").or_else(|| events("state_after"));
    state.is_some_and(|events| !events.is_empty()) || news.contains_key("summary")
}

/// The parts of an object that dot-separated paths lead to (appendices/#dot-separated-property-paths).
fn select(object: &Map<String, Value>, paths: &[String]) -> Map<String, Value> {
    let mut selected = Map::new();
    for path in paths {
        copy(object, &split(path), &mut selected);
    }
    selected
}

/// Copies what is at the end of a path, if it leads anywhere.
fn copy(from: &Map<String, Value>, path: &[String], to: &mut Map<String, Value>) {
    let Some((name, rest)) = path.split_first() else { return };
    match from.get(name) {
        Some(value) if rest.is_empty() => drop(to.insert(name.clone(), value.clone())),
        Some(Value::Object(inner)) => {
            let known = to.get(name).and_then(Value::as_object).cloned();
            let mut copied = known.unwrap_or_default();
            copy(inner, rest, &mut copied);
            if !copied.is_empty() {
                to.insert(name.clone(), Value::Object(copied));
            }
        }
        _ => {}
    }
}

/// A path as names; a backslash takes the meaning from the dot or backslash after it.
fn split(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        let Some(name) = names.last_mut() else { break };
        match character {
            '.' => names.push(String::new()),
            '\\' => name.push(characters.next().unwrap_or('\\')),
            other => name.push(other),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::select;

    #[test]
    fn paths_lead_into_objects() {
        let Value::Object(event) = json!({"type": "t", "content": {"a.b": 1, "c": {"d": 2}, "e": 3}}) else {
            unreachable!("an object was written")
        };
        let paths = ["content.a\\.b", "content.c.d", "content.none", "type"].map(str::to_owned);
        assert_eq!(
            Value::Object(select(&event, &paths)),
            json!({"type": "t", "content": {"a.b": 1, "c": {"d": 2}}})
        );
    }
}
