//! Full-text search: client-server-api/#server-side-search.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use super::getting_events::{MAX_LIMIT, Reader};
use crate::error::{Answer, MatrixError};
use crate::filter::EventFilter;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Query, Requester};
use crate::rooms::state::StateLookup;
use crate::store::search::{self, Hit, Searched};
use crate::stream::{self, Position};
use crate::timeline::{Entry, Format, Timeline};

/// Results of one answer when the client names no number, and at most.
const DEFAULT_RESULTS: usize = 10;
const MAX_RESULTS: usize = 100;

/// Events before and after a result when the client names no number.
const DEFAULT_CONTEXT: usize = 5;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/search", post(search))
}

async fn search(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    query: Query,
    body: Body,
) -> Answer {
    let start = match query.text("next_batch") {
        None => 0,
        Some(_) if commits(Fault::SearchPagesRepeat) => 0,
        Some(token) => number(token)
            .ok_or_else(|| MatrixError::invalid_param("next_batch must be a token of an earlier answer"))?,
    };
    let Some(criteria) = body.object("search_categories")?.optional_object("room_events")? else {
        return Ok(Json(json!({"search_categories": {}})));
    };
    let criteria = Criteria::read(criteria)?;
    let found = criteria.find(&server, &requester).await?;
    let page: Vec<_> = found.iter().skip(start).take(criteria.limit).collect();
    let mut results = Vec::new();
    for result in &page {
        results.push(criteria.show(&server, &requester, result).await?);
    }
    let mut answer = json!({
        "count": found.len(),
        "highlights": criteria.words,
        "results": results,
    });
    if found.len() > start + page.len() {
        answer["next_batch"] = format!("r{}", start + page.len()).into();
    }
    if !criteria.groups.is_empty() {
        answer["groups"] = groups(&criteria.groups, &page);
    }
    if criteria.include_state {
        answer["state"] = state(&requester, &page)?;
    }
    Ok(Json(json!({"search_categories": {"room_events": answer}})))
}

fn number(token: &str) -> Option<usize> {
    token.strip_prefix('r')?.parse().ok()
}

/// What is searched for, and how it is given.
struct Criteria {
    /// In small letters.
    words: Vec<String>,
    keys: Vec<String>,
    filter: EventFilter,
    limit: usize,
    recent: bool,
    /// Events before and after each result, and whether profiles come with them.
    context: Option<(usize, usize, bool)>,
    include_state: bool,
    groups: Vec<&'static str>,
}

/// An event that was found, and that the requester may see.
struct Found {
    hit: Hit,
    room: Arc<Timeline>,
    entry: Entry,
}

impl Criteria {
    fn read(criteria: &Map<String, Value>) -> Result<Self, MatrixError> {
        let words = criteria.text("search_term")?.split(|character: char| !character.is_alphanumeric());
        let words = words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
        let keys = criteria.optional_texts("keys")?.unwrap_or(Searched::KEYS.to_vec());
        if keys.iter().any(|key| !Searched::KEYS.contains(key)) {
            return Err(MatrixError::invalid_param(format!("keys must be of {}", Searched::KEYS.join(", "))));
        }
        let filter = match criteria.optional_object("filter")? {
            None => EventFilter::default(),
            Some(filter) => EventFilter::parse(filter)?,
        };
        Ok(Self {
            words,
            keys: keys.into_iter().map(str::to_owned).collect(),
            limit: filter.limit.unwrap_or(DEFAULT_RESULTS).clamp(1, MAX_RESULTS),
            filter,
            recent: criteria.one_of("order_by", &["rank", "recent"])? == Some("recent"),
            context: criteria.optional_object("event_context")?.map(read_context).transpose()?,
            include_state: criteria.flag("include_state")?,
            groups: read_groups(criteria)?,
        })
    }

    /// All that is found, in the order in which it is given.
    async fn find(&self, server: &Homeserver, requester: &Requester) -> Result<Vec<Found>, MatrixError> {
        if self.words.is_empty() {
            return Ok(Vec::new());
        }
        let rooms: HashMap<_, _> = server
            .timelines
            .of_user(&requester.user_id)
            .into_iter()
            .filter(|room| self.filter.admits_room(room.room_id()) && is_searched(room, requester))
            .map(|room| (room.room_id().to_owned(), room))
            .collect();
        let words = self.words.clone();
        let hits = server.store.read(move |connection| search::find(connection, &words)).await?;
        let mut found = Vec::new();
        for hit in hits.into_iter().filter(|hit| self.keys.contains(&hit.key)) {
            let Some(room) = rooms.get(&hit.room_id) else { continue };
            let Some(entry) = room.find(&server.store, &hit.event_id).await? else { continue };
            let seen = room.record().may_see(&entry, &requester.user_id);
            if seen && self.filter.admits(entry.pdu.object(), &hit.room_id) {
                found.push(Found { hit, room: Arc::clone(room), entry });
            }
        }
        if !self.recent {
            // Of two that match as well, the newer stays first.
            found.sort_by(|one, other| other.hit.rank.total_cmp(&one.hit.rank));
        }
        Ok(found)
    }

    async fn show(
        &self,
        server: &Homeserver,
        requester: &Requester,
        found: &Found,
    ) -> Result<Value, MatrixError> {
        let Found { hit, room, entry } = found;
        let show =
            |entry: &Entry| Value::Object(room.record().show(entry, requester.viewer(), Format::Client));
        let mut result = json!({"rank": hit.rank, "result": show(entry)});
        let Some((before, after, profiles)) = self.context else { return Ok(result) };
        let filter = EventFilter::default();
        let reader = Reader { server, room, requester, filter: &filter };
        let before = reader.back(entry.position - 1, 0, before).await?.entries;
        let after = reader.forth(entry.position, Position::MAX, after).await?.entries;
        let first = before.last().unwrap_or(entry).position - 1;
        let last = after.last().unwrap_or(entry).position;
        result["context"] = json!({
            "start": stream::token(first),
            "end": stream::token(last),
            "events_before": before.iter().map(show).collect::<Vec<_>>(),
            "events_after": after.iter().map(show).collect::<Vec<_>>(),
        });
        if profiles {
            let senders = before.iter().chain([entry]).chain(&after).map(|entry| entry.pdu.sender());
            result["context"]["profile_info"] = profile_info(room, entry.position, senders.collect());
        }
        Ok(result)
    }
}

/// Events before and after a result, and whether profiles come with them.
fn read_context(context: &Map<String, Value>) -> Result<(usize, usize, bool), MatrixError> {
    let limit = |name: &str| match context.optional_integer(name)? {
        None => Ok(DEFAULT_CONTEXT),
        Some(limit) => usize::try_from(limit)
            .map(|limit| limit.min(MAX_LIMIT))
            .map_err(|_| MatrixError::bad_json(format!("{name} must not be negative"))),
    };
    Ok((limit("before_limit")?, limit("after_limit")?, context.flag("include_profile")?))
}

fn read_groups(criteria: &Map<String, Value>) -> Result<Vec<&'static str>, MatrixError> {
    let Some(groupings) = criteria.optional_object("groupings")? else { return Ok(Vec::new()) };
    let mut groups = Vec::new();
    for group in groupings.list("group_by")? {
        let group =
            group.as_object().ok_or_else(|| MatrixError::bad_json("group_by must be a list of objects"))?;
        groups.extend(group.one_of("key", &["room_id", "sender"])?);
    }
    Ok(groups)
}

/// Rooms that the user has been in are searched, unless they are encrypted (client-server-api/#search-categories).
fn is_searched(room: &Timeline, requester: &Requester) -> bool {
    let record = room.record();
    record.history.joined_until(&requester.user_id, Position::MAX)
        && !record.is_forgotten_by(&requester.user_id)
        && record.history.now().find("m.room.encryption", "").is_none()
}

/// Names and pictures as they were at a position.
fn profile_info(room: &Timeline, position: Position, user_ids: BTreeSet<&str>) -> Value {
    let record = room.record();
    let state = record.history.at(position);
    let mut profiles = json!({});
    for user_id in user_ids {
        let mut profile = json!({});
        for name in ["displayname", "avatar_url"] {
            let member = state.find("m.room.member", user_id);
            if let Some(value) = member.and_then(|member| member.content_str(name)) {
                profile[name] = value.into();
            }
        }
        profiles[user_id] = profile;
    }
    profiles
}

/// The results by what they have in common, the groups in the order of their first result.
fn groups(keys: &[&str], page: &[&Found]) -> Value {
    let mut groups = json!({});
    for key in keys {
        let mut order = 0;
        for Found { hit, room, entry } in page {
            let value = if *key == "sender" { entry.pdu.sender() } else { room.room_id() };
            if groups[key][value].is_null() {
                order += 1;
                groups[key][value] = json!({"order": order, "results": []});
            }
            if let Some(results) = groups[key][value]["results"].as_array_mut() {
                results.push(hit.event_id.as_str().into());
            }
        }
    }
    groups
}

/// The state of every room that a result is in, as far as the requester may read it.
fn state(requester: &Requester, page: &[&Found]) -> Result<Value, MatrixError> {
    let mut states = json!({});
    for Found { room, .. } in page {
        let record = room.record();
        let state = record.history.at(record.readable_until(&requester.user_id)?);
        let events = state.iter().map(|pdu| record.show_state(pdu, requester.viewer(), Format::Client));
        states[room.room_id()] = events.map(Value::Object).collect();
    }
    Ok(states)
}
