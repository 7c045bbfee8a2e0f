//! One room in the answer.

use serde_json::{Map, Value, json};

use super::chunk::Chunk;
use super::fields::select;
use super::state::Span;
use super::{Context, event};
use crate::error::MatrixError;
use crate::misbehave::{Fault, commits};
use crate::rooms::state::StateLookup;
use crate::store::account_data;
use crate::stream::Position;
use crate::threads::MAIN;
use crate::timeline::{Format, Record, Timeline};
use crate::unread::{self, Notifications};

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
    /// Who has made it so.
    by: String,
    /// The membership at the time of the last answer, if there was any.
    before: Option<String>,
    /// Whether the user has joined since the last answer, perhaps to leave again.
    came: bool,
    /// Where the user has left last.
    left: Option<Position>,
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
            "invite"
                if is_new
                    && !self.invitations_blocked
                    && (!self.is_ignored(&standing.by) || commits(Fault::InvitesOfIgnoredUsersTold)) =>
            {
                Some(("invite", self.stripped(timeline, &standing, "invite_state")))
            }
            "knock" if is_new => Some(("knock", self.stripped(timeline, &standing, "knock_state"))),
            "leave" | "ban" if !timeline.record().is_forgotten_by(&self.requester.user_id) => {
                let asked = since.is_none()
                    && self.question.filter.room.include_leave
                    && !commits(Fault::IncludeLeaveIgnored);
                let left = since.is_some() && is_new;
                if (asked || left) && !commits(Fault::DeparturesNotTold) {
                    Some(("leave", self.left(timeline, &standing).await?))
                } else {
                    None
                }
            }
            _ => None,
        })
    }

    fn standing(&self, record: &Record) -> Option<Standing> {
        let user_id = &self.requester.user_id;
        let (position, member) = record.history.at(self.until).placed("m.room.member", user_id)?;
        let since = self.question.since.unwrap_or(0);
        let before = record.history.at(since).placed("m.room.member", user_id);
        Some(Standing {
            membership: member.content_str("membership")?.to_owned(),
            position,
            by: member.sender().to_owned(),
            before: before.and_then(|(_, member)| member.content_str("membership")).map(str::to_owned),
            came: record.history.joined_after(user_id, since),
            left: record.history.left(user_id),
        })
    }

    async fn joined(
        &self,
        timeline: &Timeline,
        standing: &Standing,
    ) -> Result<Option<Map<String, Value>>, MatrixError> {
        let newly = standing.before.as_deref() != Some("join");
        let since = if newly { 0 } else { self.question.since.unwrap_or(0) };
        let span = Span { since, until: self.until, whole: newly || self.question.full_state };
        let busy = timeline.record().last > since;
        let mut chunk = if busy {
            self.chunk(timeline, since, self.until, None).await?
        } else {
            Chunk::empty(self.until)
        };
        // Whoever was here before has a timeline that this one does not continue.
        chunk.limited |= newly && standing.before.is_some() && standing.came_back();
        let mut news = Map::new();
        let told = self.insert_events(timeline, &chunk, &span, &mut news) || span.whole;
        let ephemeral = self.ephemeral(timeline, since).await?;
        let account_data = self.account_data_of(timeline, newly).await?;
        if !self
            .insert_unread(
                timeline,
                since,
                told || !ephemeral.is_empty() || !account_data.is_empty(),
                &mut news,
            )
            .await?
        {
            return Ok(None);
        }
        news.insert("ephemeral".to_owned(), json!({"events": ephemeral}));
        news.insert("account_data".to_owned(), json!({"events": account_data}));
        Ok(Some(news))
    }

    /// A room that the user has left, up to there.
    async fn left(
        &self,
        timeline: &Timeline,
        standing: &Standing,
    ) -> Result<Map<String, Value>, MatrixError> {
        let departure = standing.position;
        let was_joined = standing.before.as_deref() == Some("join");
        let since = self.question.since.unwrap_or(0);
        // Of a room that the client has not seen the user in, it is told everything up to the end;
        // whoever never was inside sees no more than the end of their invitation.
        let span = match standing.left {
            Some(left) if was_joined => Span { since, until: left, whole: false },
            Some(left) if standing.came => Span { since: 0, until: left, whole: true },
            _ => Span { since: departure, until: departure, whole: false },
        };
        let chunk = self.chunk(timeline, span.since.min(departure - 1), departure, Some(departure)).await?;
        let mut news = Map::new();
        self.insert_events(timeline, &chunk, &span, &mut news);
        news.remove("summary");
        let account_data = self.account_data_of(timeline, span.whole).await?;
        news.insert("account_data".to_owned(), json!({"events": account_data}));
        Ok(news)
    }

    /// Adds summary, state and timeline; says whether there is anything in them.
    fn insert_events(
        &self,
        timeline: &Timeline,
        chunk: &Chunk,
        span: &Span,
        news: &mut Map<String, Value>,
    ) -> bool {
        let record = timeline.record();
        let summary = self.summary(&record, span);
        let heroes = summary.as_ref().map_or(&[][..], |summary| &summary.heroes);
        let state = self.state(&record, timeline.room_id(), chunk, span, heroes);
        let told = !chunk.entries.is_empty() || chunk.limited || !state.is_empty() || summary.is_some();
        if let Some(summary) = summary {
            news.insert("summary".to_owned(), summary.into());
        }
        let name = if self.question.state_after { "state_after" } else { "state" };
        if !state.is_empty() || !commits(Fault::EmptyStateAfterOmitted) {
            news.insert(name.to_owned(), json!({"events": state}));
        }
        news.insert("timeline".to_owned(), self.show_chunk(&record, chunk));
        told
    }

    /// Adds the counts of what is unread, if anything else is told or they have changed; says whether.
    async fn insert_unread(
        &self,
        timeline: &Timeline,
        since: Position,
        told: bool,
        news: &mut Map<String, Value>,
    ) -> Result<bool, MatrixError> {
        let user_id = &self.requester.user_id;
        let (busy, joined) = {
            let record = timeline.record();
            let read = record.read_up_to(user_id).is_some_and(|(_, noted)| noted > since);
            (record.last > since || read, record.history.joined(user_id).unwrap_or(0))
        };
        if !told && !busy {
            return Ok(false);
        }
        let count = unread::count(self.server, timeline, user_id, joined, self.until).await?;
        if !told && count.changed <= since {
            return Ok(false);
        }
        if self.question.filter.room.timeline.unread_thread_notifications
            && !commits(Fault::ThreadCountsNotSplit)
        {
            let main = count.threads.get(MAIN).copied().unwrap_or_default();
            news.insert("unread_notifications".to_owned(), counts(main));
            let threads = count.threads.into_iter().filter(|(thread, _)| thread != MAIN);
            let threads: Map<_, _> = threads.map(|(thread, unread)| (thread, counts(unread))).collect();
            if !threads.is_empty() {
                news.insert("unread_thread_notifications".to_owned(), threads.into());
            }
        } else {
            news.insert("unread_notifications".to_owned(), counts(count.total()));
        }
        Ok(true)
    }

    /// What is told of a room that the user is not in yet, as it was when they were asked in or asked.
    fn stripped(&self, timeline: &Timeline, standing: &Standing, name: &str) -> Map<String, Value> {
        let record = timeline.record();
        let state = record.history.at(standing.position);
        let user_id = &self.requester.user_id;
        if let Some(told) = record.stripped_for(user_id).filter(|_| state.create().is_none()) {
            let own = state.find("m.room.member", user_id).map(|own| Value::Object(own.to_stripped_state()));
            let events: Vec<_> = told.iter().cloned().chain(own).collect();
            return Map::from_iter([(name.to_owned(), json!({"events": events}))]);
        }
        let told = STRIPPED
            .iter()
            .skip(usize::from(commits(Fault::StrippedStateWithoutCreate)))
            .filter_map(|event_type| state.find(event_type, ""));
        let own = state.find("m.room.member", &self.requester.user_id);
        // Whoever invited is shown as well, with name and picture.
        let inviter = Some(&standing.by).filter(|by| **by != self.requester.user_id);
        let inviter = inviter.and_then(|by| state.find("m.room.member", by));
        let events: Vec<_> =
            told.chain(own).chain(inviter).map(|pdu| Value::Object(pdu.to_stripped_state())).collect();
        Map::from_iter([(name.to_owned(), json!({"events": events}))])
    }

    async fn account_data_of(&self, timeline: &Timeline, newly: bool) -> Result<Vec<Value>, MatrixError> {
        let room_id = timeline.room_id().to_owned();
        let changed = if newly && self.question.since.is_some() {
            let (user_id, until) = (self.requester.user_id.clone(), self.until);
            let all = self.server.store.read(move |c| account_data::changed(c, &user_id, 0, until)).await?;
            all.into_iter().filter(|data| data.room_id == room_id).collect()
        } else {
            self.account_data.get(&room_id).cloned().unwrap_or_default()
        };
        let filter = &self.question.filter.room.account_data;
        let wanted = changed
            .into_iter()
            .filter(|data| filter.admits_room(&room_id) && filter.admits_type(&data.event_type));
        Ok(wanted.map(event).collect())
    }

    pub(super) fn format(&self) -> Format {
        if self.question.filter.federation_format && !commits(Fault::FederationFormatIgnored) {
            Format::Federation
        } else {
            Format::InRoom
        }
    }

    /// Leaves of an event what `event_fields` of the filter names.
    pub(super) fn trim(&self, event: Map<String, Value>) -> Value {
        match self.question.filter.event_fields.as_ref().filter(|_| !commits(Fault::EventFieldsIgnored)) {
            None => Value::Object(event),
            Some(fields) => Value::Object(select(&event, fields)),
        }
    }
}

impl Standing {
    /// Whether the user had left before the last answer and has come since.
    fn came_back(&self) -> bool {
        self.came && matches!(self.before.as_deref(), Some("leave" | "ban"))
    }
}

fn counts(unread: Notifications) -> Value {
    json!({"notification_count": unread.notified, "highlight_count": if commits(Fault::HighlightsCountAll) { unread.notified } else { unread.highlighted }})
}
