//! Well-formed requests: for every operation a path, a query and a body with which it could succeed.

use fixtures::catalogue::{Location, Method, Operation};
use serde_json::{Value, json};

use super::shape::Shape;
use crate::{
    cast::{Call, Homeserver, User, encoded},
    stage::{Estate, Sanction, Set},
    verdict::Stop,
};

/// The type of the events, account data and tags that contracts make.
const OWN_TYPE: &str = "org.determinant.contract";

/// Where a success ends the session, or changes what the next request of the same user meets.
pub(super) const SPEND_THEIR_USER: [&str; 7] = [
    "changePassword",
    "createContent",
    "deactivateAccount",
    "logout",
    "logout_all",
    "postRoomKeysVersion",
    "uploadCrossSigningKeys",
];

/// Where a success changes what the next request in the same room meets.
pub(super) const SPEND_THEIR_ROOM: [&str; 3] = ["forgetRoom", "leaveRoom", "upgradeRoom"];

/// Where the server compares what it is given with what the backup holds:
/// `client-server-api/#backup-algorithm-mmegolm_backupv1curve25519-aes-sha2`.
pub(super) const COMPARE_WITH_BACKUP: [&str; 3] =
    ["putRoomKeyBySessionId", "putRoomKeys", "putRoomKeysByRoomId"];

/// A well-formed request for one operation, not yet sent.
#[derive(Clone, Debug)]
pub(super) struct Specimen {
    /// What it asks for.
    pub(super) operation: &'static Operation,
    /// Who asks.
    pub(super) actor: User,
    /// Percent-encoded, without the query.
    pub(super) path: String,
    /// What the operation requires, and what keeps it from waiting.
    pub(super) query: Vec<(String, String)>,
    /// The JSON body, where it takes one.
    pub(super) body: Option<Value>,
}

impl Specimen {
    /// A request that changes nothing that others stand on: what it would change does not exist, or is the request's own.
    pub(super) async fn harmless(
        hs: &Homeserver,
        set: &Set,
        operation: &'static Operation,
    ) -> Result<Self, Stop> {
        if operation.method == Method::Get {
            return Self::of(hs, operation, set.alice.clone(), &set.alices);
        }
        let spends_its_user = SPEND_THEIR_USER.contains(&operation.id.as_str());
        let actor = if spends_its_user { hs.user("mallory").await? } else { set.carol.clone() };
        Self::of(hs, operation, actor, &nothing(hs))
    }

    /// A request that can succeed. What it changes is carol's, or its own where it uses that up.
    pub(super) async fn effective(
        hs: &Homeserver,
        set: &Set,
        operation: &'static Operation,
    ) -> Result<Self, Stop> {
        if operation.method == Method::Get {
            return Self::of(hs, operation, set.alice.clone(), &set.alices);
        }
        let (mut actor, mut estate) = (set.carol.clone(), set.carols.clone());
        match operation.id.as_str() {
            id if SPEND_THEIR_USER.contains(&id) => actor = hs.user("mallory").await?,
            id if COMPARE_WITH_BACKUP.contains(&id) => {
                actor = hs.user("mallory").await?;
                estate.backup = Estate::new_backup(&actor).await?;
            }
            id if SPEND_THEIR_ROOM.contains(&id) => estate.room = actor.create_room(json!({})).await?,
            _ => {}
        }
        if operation.id == "forgetRoom" {
            actor.leave(&estate.room).await?;
        }
        Self::of(hs, operation, actor, &estate)
    }

    /// A request of that user which names what is in the estate.
    pub(super) fn of(
        hs: &Homeserver,
        operation: &'static Operation,
        actor: User,
        estate: &Estate,
    ) -> Result<Self, Stop> {
        let value = |name| path_value(hs, operation, name, &actor, estate);
        let values: Vec<(&str, String)> =
            operation.path.parameters().map(|name| (name, value(name))).collect();
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = operation.path.fill(&values).map_err(|error| Stop::Fault(error.to_string()))?;
        let required = operation.parameters_in(Location::Query).filter(|parameter| parameter.required);
        let pair = |name: &String| (name.clone(), query_value(hs, name, &actor, estate));
        let mut query: Vec<(String, String)> = required.map(|parameter| pair(&parameter.name)).collect();
        if operation.parameter(Location::Query, "timeout").is_some() {
            query.push(("timeout".to_owned(), "0".to_owned()));
        }
        let body = body(hs, operation, &actor, estate);
        Ok(Specimen { operation, actor, path, query, body })
    }

    /// The request with the actor's token.
    pub(super) fn call(&self) -> Call {
        let call = self.call_without_body();
        match (&self.body, &self.operation.request_body) {
            (Some(body), _) => call.json(body),
            (None, Some(_)) => call.header("content-type", "application/octet-stream").bytes("determinant"),
            (None, None) => call,
        }
    }

    /// The request with the actor's token, for which the caller makes a body.
    pub(super) fn call_without_body(&self) -> Call {
        self.actor.request(method(self.operation.method), self.target())
    }

    /// The request without a token.
    pub(super) fn call_of_nobody(&self) -> Call {
        self.call().without_header("authorization")
    }

    /// Path and query.
    pub(super) fn target(&self) -> String {
        let pairs: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        if pairs.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, pairs.join("&")) }
    }
}

/// A request of a user who is locked or suspended, which would do something if the user were not. Whoever loses by it what
/// others need is a user of its own.
pub(super) async fn of_sanctioned(
    hs: &Homeserver,
    operation: &'static Operation,
    sanction: Sanction,
) -> Result<Specimen, Stop> {
    let id = operation.id.as_str();
    let stage = &hs.trial().stage;
    let mut theirs = stage.sanctioned(hs, sanction).await?;
    if SPEND_THEIR_USER.contains(&id) || COMPARE_WITH_BACKUP.contains(&id) || SPEND_THEIR_ROOM.contains(&id) {
        theirs = stage.newly_sanctioned(hs, sanction).await?;
    }
    let estate = match id {
        "joinRoom" | "joinRoomById" => &theirs.open_to_them,
        "knockRoom" => &theirs.knockable,
        _ => &theirs.estate,
    };
    Specimen::of(hs, operation, theirs.user.clone(), estate)
}

/// The method as the HTTP library has it.
pub(super) fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
    }
}

/// The names of things that do not exist.
fn nothing(hs: &Homeserver) -> Estate {
    Estate {
        room: format!("!determinant-nowhere:{}", hs.name()),
        alias: format!("#determinant-nowhere:{}", hs.name()),
        event: "$determinant-nothing".to_owned(),
        filter: "0".to_owned(),
        backup: "0".to_owned(),
        media: "determinantnothing".to_owned(),
        batch: "determinant".to_owned(),
    }
}

fn path_value(hs: &Homeserver, operation: &Operation, name: &str, actor: &User, estate: &Estate) -> String {
    let reads = operation.method == Method::Get;
    match name {
        "userId" => actor.id().to_owned(),
        "roomId" | "roomIdOrAlias" => estate.room.clone(),
        "roomAlias" if reads => estate.alias.clone(),
        "roomAlias" => format!("#{}-{}:{}", actor.localpart(), hs.unique(), hs.name()),
        "eventId" => estate.event.clone(),
        "eventType" if operation.id == "getRoomStateWithKey" => "m.room.member".to_owned(),
        "eventType" if reads => "m.room.message".to_owned(),
        "eventType" => OWN_TYPE.to_owned(),
        "stateKey" if reads => actor.id().to_owned(),
        "type" if reads => "org.determinant.stage".to_owned(),
        "type" | "stateKey" => own_name(hs),
        "tag" => "u.contract".to_owned(),
        "txnId" => format!("contract-{}", hs.unique()),
        "relType" => "m.reference".to_owned(),
        "receiptType" => "m.read".to_owned(),
        "deviceId" if operation.method != Method::Delete => actor.device_id().to_owned(),
        "filterId" => estate.filter.clone(),
        "version" => estate.backup.clone(),
        "kind" => "override".to_owned(),
        "ruleId" if ["setPushRule", "deletePushRule"].contains(&operation.id.as_str()) => own_name(hs),
        "ruleId" => ".m.rule.suppress_notices".to_owned(),
        "keyName" => "displayname".to_owned(),
        "serverName" => hs.name().to_owned(),
        "mediaId" => estate.media.clone(),
        "fileName" => "stage.txt".to_owned(),
        // Names that only a particular configuration has: application services, protocols, identity providers, devices.
        _ => "determinant".to_owned(),
    }
}

/// A name in the manner of event types that no other request uses.
fn own_name(hs: &Homeserver) -> String {
    format!("{OWN_TYPE}.{}", hs.unique())
}

fn query_value(hs: &Homeserver, name: &str, actor: &User, estate: &Estate) -> String {
    match name {
        "alias" => estate.alias.clone(),
        "dir" => "f".to_owned(),
        "from" | "to" => estate.batch.clone(),
        "height" | "width" => "32".to_owned(),
        "redirectUrl" => "https://determinant.invalid/".to_owned(),
        "ts" => "1".to_owned(),
        // Nothing listens at the discard port.
        "url" => "http://127.0.0.1:9/".to_owned(),
        "user_id" => format!("@determinant-nobody:{}", hs.name()),
        "userid" => actor.id().to_owned(),
        "username" => format!("determinant-{}", hs.unique()),
        "version" => estate.backup.clone(),
        _ => "determinant".to_owned(),
    }
}

/// The smallest body that the schema permits; where the schema says too little, one that means something.
fn body(hs: &Homeserver, operation: &'static Operation, actor: &User, estate: &Estate) -> Option<Value> {
    let shape = Shape::of(operation)?;
    let nobody = || format!("@determinant-nobody-{}:{}", hs.unique(), hs.name());
    Some(match operation.id.as_str() {
        "ban" | "inviteUser" | "kick" | "unban" => json!({"user_id": nobody()}),
        "login" => json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": nobody()},
            "password": "determinant",
        }),
        "postPusher" => json!({
            "kind": "http",
            "app_id": "org.determinant.contract",
            "app_display_name": "determinant",
            "device_display_name": "determinant",
            "lang": "en",
            "pushkey": "determinant",
            "data": {"url": "https://determinant.invalid/_matrix/push/v1/notify"},
        }),
        "putRoomKeysVersion" => json!({
            "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
            "auth_data": {"public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo"},
            "version": estate.backup,
        }),
        "register" => json!({"username": format!("determinant-{}", hs.unique()), "password": "determinant"}),
        "requestTokenTo3PIDEmail" | "requestTokenToRegisterEmail" | "requestTokenToResetPasswordEmail" => {
            json!({"client_secret": "determinant", "email": "nobody@determinant.invalid", "send_attempt": 1})
        }
        // A number that the British regulator keeps for fiction.
        "requestTokenTo3PIDMSISDN" | "requestTokenToRegisterMSISDN" | "requestTokenToResetPasswordMSISDN" => {
            json!({"client_secret": "determinant", "country": "GB", "phone_number": "07700900001", "send_attempt": 1})
        }
        "search" => json!({"search_categories": {"room_events": {"search_term": "determinant"}}}),
        "sendMessage" => json!({"body": "determinant"}),
        "setProfileField" => json!({"displayname": actor.localpart()}),
        "setPushRule" => json!({"actions": [], "conditions": []}),
        "setRoomAlias" => json!({"room_id": estate.room}),
        "setRoomVisibilityOnDirectory" => json!({"visibility": "private"}),
        "setTyping" => json!({"typing": false}),
        "upgradeRoom" => json!({"new_version": hs.default_room_version()}),
        _ => shape.smallest(),
    })
}
