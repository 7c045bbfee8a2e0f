//! Carries a session out: new users, new rooms, one round after the other, and a last look of every client.

use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use super::{
    Invariant, Session,
    action::{Action, CLIENTS, Deed, ROOMS, USERS, VISIBILITIES},
    client::Client,
    invariants,
    model::Model,
};
use crate::{
    cast::{Answer, Homeserver, User},
    verdict::Stop,
};

/// Where a session is played.
pub(super) struct Stage {
    pub(super) users: [User; USERS],
    pub(super) rooms: Vec<String>,
    /// By user and number.
    pub(super) clients: Vec<Mutex<Client>>,
    pub(super) model: Mutex<Model>,
}

impl Session {
    /// Plays it once and compares. The first invariant that is broken stops it.
    pub(super) async fn play(&self, hs: &Homeserver, invariants: &[Invariant]) -> Result<(), Stop> {
        let stage = {
            let _not_now = hs.uninterrupted().await;
            Stage::set(hs).await?
        };
        for round in &self.rounds {
            if round.iter().any(|action| action.deed == Deed::Restarts) {
                hs.restart().await?;
            }
            let _not_now = hs.uninterrupted().await;
            let deeds = round.iter().map(|action| stage.perform(action));
            futures_util::future::try_join_all(deeds).await?;
        }
        let _not_now = hs.uninterrupted().await;
        stage.settle(hs).await?;
        for invariant in invariants {
            invariants::check(*invariant, &stage).await?;
        }
        Ok(())
    }
}

impl Stage {
    async fn set(hs: &Homeserver) -> Result<Self, Stop> {
        let users: [User; USERS] = hs.users().await?;
        let alice = &users[0];
        let mut rooms = Vec::new();
        for number in 0..ROOMS {
            let levels = json!({"state_default": 0});
            let mut body = json!({"preset": "public_chat", "power_level_content_override": levels});
            if number == 0 {
                let content = json!({"algorithm": "m.megolm.v1.aes-sha2"});
                body["initial_state"] =
                    json!([{"type": "m.room.encryption", "state_key": "", "content": content}]);
            }
            rooms.push(alice.create_room(body).await?);
        }
        // Of the others, the second is in the encrypted room from the beginning.
        users[1].join(&rooms[0]).await?;
        let mut model = Model::default();
        model.joined[0] = [true; ROOMS];
        model.joined[1][0] = true;
        let mut clients = Vec::new();
        for user in &users {
            for number in 0..CLIENTS {
                let session = if number == 0 { user.clone() } else { user.logs_in().await? };
                let mut client = Client::new(session, clients.len());
                client.sync(0).await?;
                clients.push(Mutex::new(client));
            }
        }
        Ok(Stage { users, rooms, clients, model: Mutex::new(model) })
    }

    /// The clients of a user, or one of them.
    fn client(&self, user: usize, client: usize) -> &Mutex<Client> {
        &self.clients[user * CLIENTS + client]
    }

    async fn perform(&self, action: &Action) -> Result<(), Stop> {
        let Action { user, deed } = action;
        let (number, user) = (*user, &self.users[*user]);
        match *deed {
            Deed::Syncs { client } => drop(self.client(number, client).lock().await.sync(0).await?),
            Deed::Resumes { client, back } => self.client(number, client).lock().await.go_back(back),
            Deed::Messages { other } => self.message(user, other).await?,
            Deed::Publishes { client } => {
                self.client(number, client).lock().await.user.publishes_device_keys().await?;
                self.model.lock().await.published.insert(number);
            }
            Deed::Renames => {
                let name = json!(format!("name {}", user.homeserver().unique()));
                user.set_profile_field("displayname", name.clone()).await?;
                self.await_name(number, &name).await?;
            }
            Deed::Joins { room } => {
                user.join(&self.rooms[room]).await?;
                self.model.lock().await.joined[number][room] = true;
            }
            Deed::Leaves { room } if number > 0 && self.is_joined(number, room).await => {
                user.leave(&self.rooms[room]).await?;
                self.model.lock().await.joined[number][room] = false;
            }
            Deed::Hides { room, visibility } if number == 0 => {
                let content = json!({"history_visibility": VISIBILITIES[visibility]});
                let kind = "m.room.history_visibility";
                // The same content again may be no new event, so that it is not counted among those sent.
                user.set_state(&self.rooms[room], kind, "", content).await?;
            }
            Deed::Speaks { room } if self.is_joined(number, room).await => {
                let event_id = user.say(&self.rooms[room], "a word").await?;
                let mut model = self.model.lock().await;
                model.sent[number][room].push(event_id.clone());
                model.messages[number][room].push(event_id);
            }
            Deed::SetsState { room, key } if self.is_joined(number, room).await => {
                self.set_state(number, room, key).await?;
            }
            Deed::Redacts { room, which } if self.is_joined(number, room).await => {
                let target = {
                    let messages = &mut self.model.lock().await.messages[number][room];
                    if messages.is_empty() { None } else { Some(messages.remove(which % messages.len())) }
                };
                if let Some(target) = target {
                    let event_id = user.redact(&self.rooms[room], &target).await?;
                    self.model.lock().await.sent[number][room].push(event_id);
                }
            }
            // A restart is no deed of a user; the others cannot be done now.
            _ => {}
        }
        Ok(())
    }

    async fn is_joined(&self, user: usize, room: usize) -> bool {
        self.model.lock().await.joined[user][room]
    }

    /// A server may tell the rooms of a new name a moment after it has taken it.
    async fn await_name(&self, number: usize, name: &Value) -> Result<(), Stop> {
        let (user, joined) = (&self.users[number], self.model.lock().await.joined[number]);
        for room in (0..ROOMS).filter(|room| joined[*room]) {
            let ask = || user.state(&self.rooms[room], "m.room.member", user.id());
            let told = |member: &Answer| member.at("/displayname") == name;
            user.homeserver().eventually("the new name of a member", ask, told).await?;
        }
        Ok(())
    }

    /// Sets a piece of state that only this user sets, and reads it.
    async fn set_state(&self, number: usize, room: usize, key: usize) -> Result<(), Stop> {
        let (user, room_id) = (&self.users[number], &self.rooms[room]);
        let (kind, key) = (format!("org.determinant.of-user-{number}"), key.to_string());
        let content = json!({"value": user.homeserver().unique()});
        let event_id = user.set_state(room_id, &kind, &key, content.clone()).await?;
        self.model.lock().await.sent[number][room].push(event_id);
        let read = user.state(room_id, &kind, &key).await?;
        read.must(read.json() == &content, "the state that its sender has just set", || {
            read.json().to_string()
        })
    }

    async fn message(&self, user: &User, other: usize) -> Result<(), Stop> {
        let id = user.homeserver().unique();
        let messages = json!({"messages": {self.users[other].id(): {"*": {"id": id}}}});
        let path = crate::path!("/_matrix/client/v3/sendToDevice/org.determinant.message/{}", id);
        user.put(path, messages).await?;
        self.model.lock().await.to_device[other].insert(id);
        Ok(())
    }

    /// Lets every client catch up: it syncs until it has seen the last event of every room that its user is in, and the
    /// last message to its device.
    async fn settle(&self, hs: &Homeserver) -> Result<(), Stop> {
        let mut last = Vec::new();
        for (number, room) in self.rooms.iter().enumerate() {
            let event_id = self.users[0].say(room, "the end").await?;
            self.model.lock().await.sent[0][number].push(event_id.clone());
            last.push(event_id);
        }
        for other in 0..USERS {
            self.message(&self.users[0], other).await?;
        }
        let catching_up = (0..self.clients.len()).map(|number| self.catch_up(hs, number, &last));
        futures_util::future::try_join_all(catching_up).await.map(drop)
    }

    async fn catch_up(&self, hs: &Homeserver, number: usize, last: &[String]) -> Result<(), Stop> {
        let (joined, messages) = {
            let model = self.model.lock().await;
            (model.joined[number / CLIENTS], model.to_device[number / CLIENTS].clone())
        };
        let mut client = self.clients[number].lock().await;
        let deadline = Instant::now() + hs.patience();
        loop {
            let seen = |room: usize| {
                let pieces = client.view.rooms.get(&self.rooms[room]).map_or(&[][..], |room| &room.pieces);
                pieces.iter().any(|piece| piece.events.contains(&last[room]))
            };
            let has_all = (0..ROOMS).all(|room| !joined[room] || seen(room));
            let missing = messages.iter().find(|id| !client.view.to_device.contains(id));
            if has_all && (missing.is_none() || client.went_back) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let expected =
                    "a client that sees the last event of every room it is in and every message to it";
                let got =
                    if has_all { "a message is missing" } else { "the last event of a room is missing" };
                return Err(Stop::unmet(expected, got));
            }
            client.sync(1_000).await?;
        }
    }
}
