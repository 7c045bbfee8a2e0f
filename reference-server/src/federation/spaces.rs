//! Spaces that reach over servers: server-server-api/#spaces.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::pdus::is_of;
use super::request_authentication::Signed;
use super::{path_segment, server_acls};
use crate::client::room_summaries::{allowed_rooms, summarize};
use crate::client::spaces::{child_states, children};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query};
use crate::rooms::state::StateLookup;
use crate::rooms::visibility::HistoryVisibility;
use crate::timeline::Timeline;

/// How long it is kept what other servers have told.
const KEPT: Duration = Duration::from_secs(60);

/// The most of it that is kept.
const MOST: usize = 1_000;

/// A space and its children, as far as the server that asks could look into them or join them.
pub(super) async fn hierarchy(
    State(server): State<Arc<Homeserver>>,
    Path(room_id): Path<String>,
    query: Query,
    signed: Signed,
) -> Answer {
    let suggested_only = query.flag("suggested_only")?;
    let is_open = |room: &Arc<Timeline>| admits(&server, room, &signed.origin);
    let root = known(&server, &room_id).filter(is_open);
    let root =
        root.ok_or_else(|| MatrixError::not_found("there is no such room, or your server may not see it"))?;
    let mut room = summarize(&root);
    room.insert("children_state".to_owned(), child_states(&root, suggested_only).into());
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    for child in children(&root, suggested_only) {
        let Some(child_id) = child.state_key() else { continue };
        match known(&server, child_id) {
            Some(child) if is_open(&child) => shown.push(Value::Object(summarize(&child))),
            Some(_) => hidden.push(child_id.to_owned()),
            None => {}
        }
    }
    Ok(Json(json!({"room": room, "children": shown, "inaccessible_children": hidden})))
}

fn known(server: &Homeserver, room_id: &str) -> Option<Arc<Timeline>> {
    server.timelines.find(room_id).filter(|room| room.record().has_server(server.name()))
}

/// Whether users of a server could look into a room, join it or knock, or are in it or invited.
fn admits(server: &Homeserver, room: &Timeline, origin: &str) -> bool {
    let record = room.record();
    let state = record.history.now();
    if !server_acls::admits(&state, origin) {
        return false;
    }
    let rule = state.find("m.room.join_rules", "").and_then(|rules| rules.content_str("join_rule"));
    let invited = || {
        let mut invited = record.members("invite");
        invited.any(|user_id| is_of(user_id, origin))
    };
    let allowed = || {
        let rooms = allowed_rooms(room);
        rooms
            .iter()
            .filter_map(|room_id| known(server, room_id))
            .any(|other| other.record().has_server(origin))
    };
    matches!(rule, Some("public" | "knock" | "knock_restricted"))
        || HistoryVisibility::of(&state) == HistoryVisibility::WorldReadable
        || record.has_server(origin)
        || invited()
        || allowed()
}

/// What another server has told of a space.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its summary, with `children_state`.
    pub(crate) room: Value,
    /// The children that nobody who asks there could enter, nor anywhere else.
    pub(crate) inaccessible: HashSet<String>,
}

/// What is kept of it: by server, room, and whether only suggested children were asked for.
#[derive(Debug, Default)]
pub(crate) struct Hierarchies(Mutex<HashMap<Question, (Arc<Told>, Instant)>>);

type Question = (String, String, bool);

impl Hierarchies {
    fn find(&self, question: &Question) -> Option<Arc<Told>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(question).filter(|(_, until)| *until > Instant::now()).map(|(told, _)| Arc::clone(told))
    }

    fn add(&self, question: Question, told: &Arc<Told>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, (_, until)| *until > Instant::now());
        }
        if all.len() < MOST {
            all.insert(question, (Arc::clone(told), Instant::now() + KEPT));
        }
    }
}

/// Asks servers, one after the other, for a space.
pub(crate) async fn ask(
    server: &Homeserver,
    room_id: &str,
    through: &[String],
    suggested_only: bool,
) -> Option<Arc<Told>> {
    let uri =
        format!("/_matrix/federation/v1/hierarchy/{}?suggested_only={suggested_only}", path_segment(room_id));
    for other in through.iter().filter(|other| *other != server.name()) {
        let question = (other.clone(), room_id.to_owned(), suggested_only);
        if let Some(told) = server.hierarchies.find(&question)
            && !commits(Fault::HierarchiesForgotten)
        {
            return Some(told);
        }
        match server.ask_for(other, &uri).await {
            Ok(answer) if answer["room"]["room_id"] == room_id => {
                let inaccessible = answer["inaccessible_children"].as_array().into_iter().flatten();
                let told = Arc::new(Told {
                    room: answer["room"].clone(),
                    inaccessible: inaccessible.filter_map(Value::as_str).map(str::to_owned).collect(),
                });
                server.hierarchies.add(question, &told);
                return Some(told);
            }
            Ok(_) => tracing::info!("{other} tells of another room"),
            Err(error) => tracing::info!("no hierarchy: {error}"),
        }
    }
    None
}
