//! Where a script is played: events are made one after the other, judged, and the states after them kept.

mod auth_events;

use std::collections::BTreeMap;

use oracle::{AuthEvent, Decision, Event, StateMap, StateOf, decide, decide_by_auth_events, resolve};
use protocol::room_version::{References, RoomIdFormat};
use protocol::{Object, RoomVersion};
use serde_json::{Value, json};

use super::act::{create_content, join_rules, other_room, plan};
use super::plan::{Plan, due_signers};
use super::scene::{BEGINNING_MS, SECOND_MS, SERVERS, Scene, USERS, nth, server_of};
use super::script::{Actor, AuthEvents, Depth, JoinRule, Opening, Place, Script, Time, Turn};
use super::{History, Merge, Moment, Occasion, levels};
use crate::room::{Draft, Room};

/// The largest integer of canonical JSON.
const LARGEST: i64 = (1 << 53) - 1;
/// More branches than these are not begun.
const BRANCHES: usize = 4;

/// Plays a script in a room version.
pub(super) fn play(script: &Script, version: &'static RoomVersion) -> History {
    let mut stage = Stage::new(version);
    stage.open(&script.opening);
    for turn in &script.turns {
        stage.turn(turn);
    }
    stage.close()
}

struct Stage {
    version: &'static RoomVersion,
    room: Room,
    /// The ids of the events that were made, oldest first.
    made: Vec<String>,
    /// Those of them that others can follow.
    followed: Vec<String>,
    moments: BTreeMap<String, Moment>,
    merges: Vec<Merge>,
    /// The last event of every branch.
    branches: Vec<String>,
    last_ts: i64,
}

/// Everything about an event but what it does.
struct Circumstances {
    prev_events: Vec<String>,
    before: StateMap,
    auth_events: AuthEvents,
    time: Time,
    depth: Depth,
    followed_if_rejected: bool,
}

impl Stage {
    fn new(version: &'static RoomVersion) -> Self {
        Self {
            version,
            room: Room::new(version, SERVERS[0]),
            made: Vec::new(),
            followed: Vec::new(),
            moments: BTreeMap::new(),
            merges: Vec::new(),
            branches: Vec::new(),
            last_ts: BEGINNING_MS,
        }
    }

    /// The room begins; nothing is in conflict yet.
    fn open(&mut self, opening: &Opening) {
        let creator = USERS[0];
        let mut content = create_content(self.version, creator);
        let mut creators = vec![creator];
        if !opening.federated {
            content["m.federate"] = json!(false);
        }
        if self.version.privileged_creators && opening.additional_creators > 0 {
            let additional = [USERS[1], USERS[3]];
            let additional = &additional[..usize::from(opening.additional_creators).min(additional.len())];
            content["additional_creators"] = json!(additional);
            creators.extend(additional);
        }
        let mut create = Plan::state("m.room.create", "", content, "creates the room");
        create.is_beginning = true;
        self.plainly(creator, create);
        self.join(creator);
        let unnamed = if self.version.privileged_creators { creators.as_slice() } else { &[] };
        if let Some(levels) = levels::opening(opening.levels, creator, unnamed) {
            self.plainly(creator, levels);
        }
        self.plainly(creator, join_rules(JoinRule::Public));
        let may_join = |user: &&str| opening.federated || server_of(user) == server_of(creator);
        for user in USERS.into_iter().skip(1).filter(may_join).take(usize::from(opening.members)) {
            self.join(user);
        }
        if opening.join_rule != JoinRule::Public {
            self.plainly(creator, join_rules(opening.join_rule));
        }
    }

    fn join(&mut self, user: &str) {
        let plan = Plan::state("m.room.member", user, json!({"membership": "join"}), "joins");
        self.plainly(user, plan);
    }

    /// What somebody does after everything that was done.
    fn plainly(&mut self, actor: &str, plan: Plan) {
        let prev_events = self.branches.clone();
        let circumstances = Circumstances {
            before: self.state_before(&prev_events),
            prev_events,
            auth_events: AuthEvents::Right,
            time: Time::Next,
            depth: Depth::Next,
            followed_if_rejected: false,
        };
        self.make(actor, plan, circumstances);
    }

    fn turn(&mut self, turn: &Turn) {
        let prev_events = self.prev_events(turn.place);
        let before = self.state_before(&prev_events);
        let (actor, plan) = self.cast(turn, &before, &prev_events);
        let circumstances = Circumstances {
            prev_events,
            before,
            auth_events: turn.auth_events,
            time: turn.time,
            depth: turn.depth,
            followed_if_rejected: turn.followed_if_rejected,
        };
        self.make(actor, plan, circumstances);
    }

    fn prev_events(&self, place: Place) -> Vec<String> {
        let branch = |number: u8| self.branches[usize::from(number) % self.branches.len()].clone();
        match place {
            Place::Fork(back) if self.branches.len() < BRANCHES => {
                vec![self.followed[self.followed.len() - 1 - usize::from(back) % self.followed.len()].clone()]
            }
            Place::Merge(number) if self.branches.len() > 1 => {
                vec![branch(number), branch(number.wrapping_add(1))]
            }
            Place::MergeAll => self.branches.clone(),
            Place::Branch(number) | Place::Fork(number) | Place::Merge(number) => vec![branch(number)],
        }
    }

    /// The state before an event with these previous events; a merge is remembered.
    fn state_before(&mut self, prev_events: &[String]) -> StateMap {
        match prev_events {
            [] => StateMap::new(),
            [only] => self.moments[only].after.clone(),
            several => {
                let merge = self.merge(Occasion::Forward, several);
                let state = merge.resolution.state.clone();
                self.merges.push(merge);
                state
            }
        }
    }

    fn merge(&self, occasion: Occasion, tips: &[String]) -> Merge {
        let state_sets: Vec<StateMap> = tips.iter().map(|id| self.moments[id].after.clone()).collect();
        let resolution = resolve(self.version, &state_sets, self.room.events())
            .expect("states of accepted events can be resolved");
        Merge { occasion, tips: tips.to_vec(), state_sets, resolution }
    }

    /// Who acts, and what that comes to.
    fn cast(&self, turn: &Turn, before: &StateMap, prev_events: &[String]) -> (&'static str, Plan) {
        let scene = self.scene(before, turn.target);
        let planned = |actor: &'static str| (actor, plan(turn.act, actor, &scene));
        match turn.actor {
            Actor::Anyone(number) => planned(nth(&USERS, number).unwrap_or(USERS[0])),
            Actor::Joined(number) => planned(nth(&scene.joined(), number).unwrap_or(USERS[0])),
            Actor::Able(number) => {
                let first = usize::from(number) % USERS.len();
                let candidates = USERS[first..].iter().chain(&USERS[..first]).map(|actor| planned(actor));
                self.ablest(candidates, before, prev_events).unwrap_or_else(|| planned(USERS[first]))
            }
        }
    }

    /// The first whom the rules allow it, or else who comes furthest in their order, so that late rules decide as well.
    fn ablest(
        &self,
        candidates: impl Iterator<Item = (&'static str, Plan)>,
        before: &StateMap,
        prev_events: &[String],
    ) -> Option<(&'static str, Plan)> {
        let mut furthest = None;
        for (actor, plan) in candidates {
            let event = self.sketch(actor, &plan, prev_events);
            let state = StateOf { state: before, events: self.room.events() };
            match decide(self.version, &event, &state) {
                Decision::Allow { .. } => return Some((actor, plan)),
                Decision::Reject(rejection) => {
                    if furthest.as_ref().is_none_or(|(rule, _)| *rule < rejection.name) {
                        furthest = Some((rejection.name, (actor, plan)));
                    }
                }
            }
        }
        furthest.map(|(_, cast)| cast)
    }

    /// An event as far as the rules look at it, neither hashed nor signed.
    fn sketch(&self, actor: &str, plan: &Plan, prev_events: &[String]) -> Event {
        let reference = |id: &String| match self.version.references {
            References::Ids => json!(id),
            References::IdsAndHashes => json!([id, {}]),
        };
        let prev_events: Vec<Value> = match plan.is_beginning {
            true => Vec::new(),
            false => prev_events.iter().map(reference).collect(),
        };
        let signers = plan.signers.clone().unwrap_or_else(|| due_signers(plan, actor));
        let signatures: Object =
            signers.into_iter().map(|server| (server, json!({"ed25519:1": ""}))).collect();
        let mut pdu = Object::new();
        let mut set = |name: &str, value: Value| pdu.insert(name.to_owned(), value);
        set("type", json!(plan.event_type));
        set("sender", json!(actor));
        set("content", plan.content.clone());
        set("prev_events", json!(prev_events));
        set("auth_events", json!([]));
        set("depth", json!(1));
        set("origin_server_ts", json!(BEGINNING_MS));
        set("signatures", Value::Object(signatures));
        if let Some(state_key) = &plan.state_key {
            set("state_key", json!(state_key));
        }
        if !(plan.event_type == "m.room.create" && self.version.room_id == RoomIdFormat::CreateEvent) {
            set("room_id", json!(self.room.room_id()));
        }
        for (name, value) in &plan.with {
            set(name, value.clone());
        }
        let id = format!("$sketch:{}", server_of(actor));
        Event::new(self.version, id, pdu).expect("a sketch has what every event has")
    }

    /// Makes an event, judges it, and keeps what came of it.
    fn make(&mut self, actor: &str, plan: Plan, circumstances: Circumstances) {
        let (prev_events, before) = match plan.is_beginning {
            true => (Vec::new(), StateMap::new()),
            false => (circumstances.prev_events.clone(), circumstances.before.clone()),
        };
        let sketch = self.sketch(actor, &plan, &prev_events);
        let name = format!("e{}", self.made.len() + 1);
        let auth_events = self.auth_events(circumstances.auth_events, &sketch, &before, &prev_events);
        let mut with = plan.with.clone();
        if circumstances.auth_events == AuthEvents::Elsewhere && !plan.is_beginning {
            with.insert("room_id".to_owned(), json!(other_room(self.version)));
        }
        let signers = plan.signers.clone().unwrap_or_default();
        let origin_server_ts = self.origin_server_ts(circumstances.time);
        let id = self.room.make(Draft {
            name: &name,
            sender: actor,
            event_type: plan.event_type,
            state_key: plan.state_key.as_deref(),
            content: plan.content.clone(),
            depth: Some(self.depth(circumstances.depth, &prev_events)),
            prev_events,
            auth_events,
            origin_server_ts,
            with,
            signers: signers.iter().map(String::as_str).collect(),
        });
        self.last_ts = origin_server_ts;
        if let Some(merge) = self.merges.last_mut()
            && merge.occasion == Occasion::Forward
        {
            merge.occasion = Occasion::Event(id.clone());
        }
        let moment = self.judge(&id, plan.says, before);
        let is_rejected = moment.is_rejected();
        self.moments.insert(id.clone(), moment);
        self.made.push(id.clone());
        if is_rejected {
            self.room.reject(&id);
        }
        let is_another_room = plan.is_beginning && self.made.len() > 1;
        if is_another_room || is_rejected && !circumstances.followed_if_rejected {
            return;
        }
        if !is_rejected {
            self.followed.push(id.clone());
        }
        self.branches.retain(|tip| !circumstances.prev_events.contains(tip));
        self.branches.push(id);
    }

    fn judge(&self, id: &str, says: String, before: StateMap) -> Moment {
        let events = self.room.events();
        let event = events.get(id).expect("the event was made");
        let entry = |id: &String| {
            let event = events.get(id).expect("only events that were made are auth events");
            AuthEvent { event, rejected: events.is_rejected(id) }
        };
        let auth_events: Vec<AuthEvent<'_>> = event.auth_events().iter().map(entry).collect();
        let create = event.implied_create_event(self.version).filter(|id| !events.is_rejected(id));
        let create = create.and_then(|id| events.get(&id));
        let by_auth_events = decide_by_auth_events(self.version, event, &auth_events, create, None);
        let by_state = decide(self.version, event, &StateOf { state: &before, events });
        let mut moment =
            Moment { event_id: id.to_owned(), says, after: before.clone(), before, by_auth_events, by_state };
        if let (false, Some(key)) = (moment.is_rejected(), event.key()) {
            moment.after.insert(key, id.to_owned());
        }
        moment
    }

    fn origin_server_ts(&self, time: Time) -> i64 {
        match time {
            Time::Next => (self.last_ts + SECOND_MS).min(LARGEST),
            Time::Same => self.last_ts,
            Time::Early(seconds) => BEGINNING_MS - i64::from(seconds) * SECOND_MS,
            Time::Latest => LARGEST,
            Time::Epoch => 0,
            Time::Negative => -SECOND_MS,
        }
    }

    fn depth(&self, depth: Depth, prev_events: &[String]) -> i64 {
        let depths = prev_events.iter().filter_map(|id| self.room.events().get(id)).map(Event::depth);
        let greatest = depths.max().unwrap_or(0);
        let limit = i64::try_from(self.version.max_depth).unwrap_or(i64::MAX);
        let depth = match depth {
            Depth::Next => greatest.saturating_add(1),
            Depth::Same => greatest,
            Depth::Jump(by) => greatest.saturating_add(1 + i64::from(by)),
            Depth::Limit => limit,
            Depth::Zero => 0,
        };
        depth.min(limit)
    }

    fn scene<'a>(&'a self, state: &'a StateMap, target: u8) -> Scene<'a> {
        Scene { version: self.version, state, events: self.room.events(), made: &self.made, target }
    }

    /// The branches meet, and what they come to in other groupings is asked as well.
    fn close(mut self) -> History {
        if self.branches.len() > 1 {
            let merge = self.merge(Occasion::Forward, &self.branches);
            self.merges.push(merge);
        }
        let mut groupings: Vec<Vec<String>> = self.merges.iter().flat_map(Merge::pairs).collect();
        groupings.extend(self.with_an_older_one());
        let groupings: Vec<Merge> =
            groupings.iter().map(|tips| self.merge(Occasion::Grouping, tips)).collect();
        self.merges.extend(groupings);
        let moments = self.made.iter().filter_map(|id| self.moments.remove(id)).collect();
        History { room: self.room, moments, merges: self.merges }
    }

    /// The branches at the end together with an event halfway to them.
    fn with_an_older_one(&self) -> Option<Vec<String>> {
        let older = self.followed.get(self.followed.len() / 2)?;
        let is_new = self.branches.len() > 1 && !self.branches.contains(older);
        is_new.then(|| self.branches.iter().chain([older]).cloned().collect())
    }
}
