//! A remote homeserver that a test scripts: well-behaved in everything that a peer may ask, unless the test says
//! otherwise.
//!
//! Every remote listens on a port of its own, with a certificate of the run's authority, and is called `localhost:PORT`, or
//! `host.docker.internal:PORT` by a server in a container; or else it is called as the test likes, and listens where the test
//! has the name lead. The rooms that it holds are judged by the `oracle`.
//!
//! | module | holds |
//! |---|---|
//! | [`Room`], [`Draft`], [`Pdu`] | rooms, events in the making, events |
//! | [`Question`], [`Asked`] | what a peer may ask, and what it did ask |
//! | [`Reply`] | what is answered: well, badly, or not at all |
//! | [`Host`] | a name of the run with an address, where a remote can listen |

pub(in crate::cast) mod door;
mod draft;
mod evidence;
mod handshake;
mod held;
mod host;
mod house;
mod keys;
mod observing;
mod policy_server;
mod question;
mod reply;
mod resident;
mod room;
mod usual;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
};

use http::Method;
use protocol::{
    RoomVersion,
    keys::SigningKey,
    request::{Request, XMatrix},
};
use serde_json::{Value, json};

use super::{Answer, Call, Homeserver, User};
use crate::{
    exchange, path,
    verdict::{Stop, Verdict},
};
use house::{House, Identity};

pub use draft::{Draft, Pdu};
pub use handshake::Template;
pub use host::Host;
pub use keys::{ServerKeys, resigned};
pub use policy_server::PolicyServer;
pub(crate) use policy_server::PolicyStand;
pub use question::{Asked, Occurrence, Question};
pub use reply::Reply;
pub use room::Room;

/// A remote homeserver. Cheap to clone; it stops listening when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Remote {
    hs: Homeserver,
    house: Arc<House>,
    doors: Arc<Mutex<Vec<door::Door>>>,
}

impl Homeserver {
    /// A new remote homeserver. The test does not apply where the server cannot federate with it.
    pub async fn remote(&self) -> Result<Remote, Stop> {
        Remote::at_a_port(self, None).await
    }

    /// A remote homeserver whose certificate is for another name than its own.
    pub async fn remote_with_certificate_for(&self, name: &str) -> Result<Remote, Stop> {
        Remote::at_a_port(self, Some(name)).await
    }

    /// The signing keys that the server publishes. They are asked for once in a run.
    pub async fn signing_keys(&self) -> Result<Arc<ServerKeys>, Stop> {
        let trial = self.trial();
        let ask = self.federation_request(Method::GET, "/_matrix/key/v2/server")?;
        let fetch = || async { ServerKeys::fetch(ask, &trial.server_name).await.map(Arc::new) };
        trial.server_keys.get_or_init(fetch).await.clone()
    }

    /// A request to the server-server API that nobody has signed.
    pub fn federation_request(&self, method: Method, target: impl Into<String>) -> Result<Call, Stop> {
        let wire = self.trial().federation.clone()?;
        Ok(Call::new(wire, self.scene().clone(), method, target.into()))
    }

    /// The room version that rooms of remotes have where the test does not care: the server's default.
    pub fn usual_room_version(&self) -> &'static RoomVersion {
        RoomVersion::find(self.default_room_version()).unwrap_or(RoomVersion::DEFAULT)
    }
}

impl Remote {
    /// One that is called after a port of its own, and listens there.
    async fn at_a_port(hs: &Homeserver, certificate_for: Option<&str>) -> Result<Self, Stop> {
        let federation = hs.target().federation()?;
        let fault = |what: String| Stop::Fault(format!("no remote homeserver: {what}"));
        let host = hs.target().whereabouts.name();
        let listener = federation.listener().map_err(|error| fault(error.to_string()))?;
        let port = listener.local_addr().map_err(|error| fault(error.to_string()))?.port();
        let remote = Remote::begin(hs, format!("{host}:{port}")).await?;
        let names = vec![certificate_for.unwrap_or(host).to_owned()];
        let config = federation.authority().server_config(names).map_err(|error| fault(error.to_string()))?;
        remote.open(listener, Some(config)).map_err(|error| fault(error.to_string()))?;
        Ok(remote)
    }

    /// One that listens nowhere yet.
    async fn begin(hs: &Homeserver, name: String) -> Result<Self, Stop> {
        let peer = hs.signing_keys().await?;
        let key = SigningKey::generate("remote")
            .map_err(|error| Stop::Fault(format!("no remote homeserver: {error}")))?;
        let house =
            House::new(Identity { name, key }, Some(peer), hs.scene().clone(), hs.trial().judge.clone());
        Ok(Remote { hs: hs.clone(), house, doors: Arc::default() })
    }

    /// Listens there as well.
    fn open(&self, listener: TcpListener, config: Option<rustls::ServerConfig>) -> io::Result<()> {
        let house = self.house.clone();
        let answer = move |visit| std::future::ready(house.answer(visit));
        let door = door::Door::open(listener, config, answer)?;
        self.doors.lock().unwrap_or_else(PoisonError::into_inner).push(door);
        Ok(())
    }

    /// The server name.
    pub fn name(&self) -> &str {
        &self.house.identity.name
    }

    /// The key with which it signs.
    pub fn key(&self) -> &SigningKey {
        &self.house.identity.key
    }

    /// The full id of a user of this server.
    pub fn user(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name())
    }

    /// The full form of an alias of this server.
    pub fn alias(&self, localpart: &str) -> String {
        format!("#{localpart}:{}", self.name())
    }

    /// The server under test, in the scene of the same test.
    pub fn homeserver(&self) -> &Homeserver {
        &self.hs
    }

    fn identity(&self) -> &Arc<Identity> {
        &self.house.identity
    }

    // What it has.

    /// A room of the server's default version that a user of this server made and anybody may join.
    pub fn room(&self) -> Result<Room, Stop> {
        self.room_of(self.hs.usual_room_version())
    }

    /// The same in a room version, where the server offers it.
    pub fn room_of(&self, version: &'static RoomVersion) -> Result<Room, Stop> {
        self.room_by_rule(version, "public")
    }

    /// A room with a join rule.
    pub fn room_by_rule(&self, version: &'static RoomVersion, join_rule: &str) -> Result<Room, Stop> {
        self.hs.must_offer(version)?;
        let room = Room::create(self.identity(), version, &self.user("charlie"), json!({}))?;
        room.furnish(join_rule)?;
        self.enter(&room);
        Ok(room)
    }

    /// A room that has nothing but its create event, which holds this as well.
    pub(crate) fn bare_room(
        &self,
        version: &'static RoomVersion,
        creator: &str,
        content: Value,
    ) -> Result<Room, Stop> {
        let room = Room::create(self.identity(), version, creator, content)?;
        self.enter(&room);
        Ok(room)
    }

    /// A room that the user has joined through this server.
    pub async fn room_with(&self, user: &User) -> Result<Room, Stop> {
        let room = self.room()?;
        self.admit(user, &room).await?;
        Ok(room)
    }

    /// The same in a room version.
    pub async fn room_of_version_with(
        &self,
        version: &'static RoomVersion,
        user: &User,
    ) -> Result<Room, Stop> {
        let room = self.room_of(version)?;
        self.admit(user, &room).await?;
        Ok(room)
    }

    /// Has the user join a room through this server, and waits until the user's server shows it.
    pub async fn admit(&self, user: &User, room: &Room) -> Verdict {
        user.join_via(room.id(), self).await?;
        user.sees("the room that was joined", |sync| !sync.joined(room.id()).is_null()).await.map(drop)
    }

    /// Answers for the room from now on.
    fn enter(&self, room: &Room) {
        self.house.belongings().rooms.insert(room.id().to_owned(), room.clone());
    }

    /// Gives a room an alias of this server.
    pub fn name_room(&self, alias: &str, room: &Room) {
        self.house.belongings().aliases.insert(alias.to_owned(), room.id().to_owned());
    }

    /// Lists a room in the directory of this server.
    pub fn publish(&self, room: &Room) {
        self.house.belongings().published.push(room.id().to_owned());
    }

    /// Holds a file; gives its `mxc:` URI.
    pub fn hold_media(&self, media_id: &str, media_type: &str, bytes: impl Into<bytes::Bytes>) -> String {
        let file = (media_type.to_owned(), bytes.into());
        self.house.belongings().media.insert(media_id.to_owned(), file);
        format!("mxc://{}/{media_id}", self.name())
    }

    // What it answers.

    /// Answers a question with this from now on.
    pub fn answers(&self, question: Question, reply: Reply) {
        self.answers_with(question, move |_, _| reply.clone());
    }

    /// Answers a question with what is made of it from now on; the second argument gives the usual answer.
    pub fn answers_with(
        &self,
        question: Question,
        answer: impl Fn(&Asked, &dyn Fn() -> Reply) -> Reply + Send + Sync + 'static,
    ) {
        self.house.direct(Some(question), Some(Arc::new(answer)));
    }

    /// Answers whatever is no operation of the specification with this from now on.
    pub fn answers_elsewhere(&self, reply: Reply) {
        self.house.direct(None, Some(Arc::new(move |_, _| reply.clone())));
    }

    /// Answers a question as usual, with another JSON body, from now on.
    pub fn alters(&self, question: Question, alter: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.answers_with(question, move |_, usual| usual().altered(&alter));
    }

    /// Answers a question as usual again.
    pub fn answers_as_usual(&self, question: Question) {
        self.house.direct(Some(question), None);
    }

    // What it asks.

    /// A signed request to the server under test; awaiting it requires a success.
    pub fn request(&self, method: Method, target: impl Into<String>) -> Result<Call, Stop> {
        Ok(self.hs.federation_request(method, target)?.sealed(self.seal(|header| header.to_string())))
    }

    /// A signed GET.
    pub fn get(&self, target: impl Into<String>) -> Result<Call, Stop> {
        self.request(Method::GET, target)
    }

    /// A signed POST.
    pub fn post(&self, target: impl Into<String>, body: Value) -> Result<Call, Stop> {
        Ok(self.request(Method::POST, target)?.json(&body))
    }

    /// A signed PUT.
    pub fn put(&self, target: impl Into<String>, body: Value) -> Result<Call, Stop> {
        Ok(self.request(Method::PUT, target)?.json(&body))
    }

    /// Signs a finished request; `spell` writes the header: `server-server-api/#request-authentication`.
    pub fn seal(
        &self,
        spell: impl FnOnce(XMatrix) -> String + Send + 'static,
    ) -> impl FnOnce(&exchange::Request) -> Result<String, Stop> + Send + 'static {
        let destination = Some(self.hs.name().to_owned());
        self.seal_for(destination, spell)
    }

    /// The same for another destination, or for none.
    pub fn seal_for(
        &self,
        destination: Option<String>,
        spell: impl FnOnce(XMatrix) -> String + Send + 'static,
    ) -> impl FnOnce(&exchange::Request) -> Result<String, Stop> + Send + 'static {
        let identity = self.identity().clone();
        move |request| {
            let content = request.body.as_deref().and_then(|body| serde_json::from_slice(body).ok());
            let signed = Request {
                method: request.method.as_str(),
                uri: &request.target,
                origin: &identity.name,
                destination: destination.as_deref(),
                content: content.as_ref(),
            };
            let header = signed.sign(&identity.key);
            header.map(spell).map_err(|error| Stop::Fault(format!("a request cannot be signed: {error}")))
        }
    }

    /// Sends an event to the server under test, which must not object to it. The remote's room takes it first.
    pub async fn send(&self, draft: Draft) -> Result<Pdu, Stop> {
        let room = draft.room().clone();
        let pdu = room.add(draft)?;
        self.deliver(&pdu).await?;
        Ok(pdu)
    }

    /// Sends an event that was built before; the server must not object to it.
    pub async fn deliver(&self, pdu: &Pdu) -> Result<Answer, Stop> {
        let answer = self.transmit(&[pdu]).await?;
        let error = &answer.at("/pdus")[pdu.id()]["error"];
        answer.must(error.is_null(), "no error for the event that was sent", || error.to_string())?;
        Ok(answer)
    }

    /// Sends events in one transaction, whatever they are.
    pub async fn transmit(&self, pdus: &[&Pdu]) -> Result<Answer, Stop> {
        let pdus: Vec<Value> = pdus.iter().map(|pdu| pdu.value()).collect();
        self.transaction(json!({"pdus": pdus})).await
    }

    /// Sends an ephemeral data unit.
    pub async fn transmit_edu(&self, kind: &str, content: Value) -> Result<Answer, Stop> {
        self.transaction(json!({"pdus": [], "edus": [{"edu_type": kind, "content": content}]})).await
    }

    /// Sends a transaction; origin and time are filled in.
    pub async fn transaction(&self, body: Value) -> Result<Answer, Stop> {
        let id = format!("{:016x}", rand::random::<u64>());
        self.transaction_as(&id, body).await
    }

    /// The same under a transaction id.
    pub async fn transaction_as(&self, id: &str, mut body: Value) -> Result<Answer, Stop> {
        body["origin"] = json!(self.name());
        body["origin_server_ts"] = json!(Room::now_ms());
        self.put(path!("/_matrix/federation/v1/send/{}", id), body)?.await
    }
}

impl User {
    /// Joins a room of which only other servers know, through one of them.
    pub fn join_via(&self, room: &str, remote: &Remote) -> Call {
        // Before v1.12 the parameter was called `server_name`; servers ignore what they do not know.
        self.join(room).query("via", remote.name()).query("server_name", remote.name())
    }
}
