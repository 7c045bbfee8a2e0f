//! The 23 operations of an identity server, well-behaved: `identity-service-api/`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use http::Method;
use protocol::{base64, keys::SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::{
    ACCESS_TOKEN, Refusal,
    accounts::{Account, Asker},
    invites::{Invite, Invites, redacted},
    sessions::{Address, Letter, Sessions},
};
use crate::cast::{
    encoded,
    neighbour::{Asked, Replying},
    remote::{Reply, resigned},
};

/// For how long a binding says that it counts: ten years, in milliseconds.
const BOUND_FOR_MS: u64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// Asks a homeserver something of its server-server API; nothing where it does not answer with success and JSON.
pub(crate) type AskHomeserver =
    Box<dyn Fn(Method, String, Option<Value>) -> BoxFuture<'static, Option<Value>> + Send + Sync>;

/// An identity server without a door: what it knows, and what it answers.
pub(crate) struct Service {
    pub(super) name: String,
    key: SigningKey,
    pub(super) homeserver: Option<AskHomeserver>,
    letters: watch::Sender<Vec<Letter>>,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
pub(super) struct Memory {
    pepper: String,
    /// The URL of the terms that everyone has to accept, where there are any.
    pub(super) terms: Option<String>,
    pub(super) accounts: BTreeMap<String, Account>,
    sessions: Sessions,
    /// Whose an address is.
    bindings: BTreeMap<Address, String>,
    invites: Invites,
}

impl Service {
    /// An identity server of this name, host and port, which knows the access token that the tests take for granted.
    pub(crate) fn new(name: String, key: SigningKey, homeserver: Option<AskHomeserver>) -> Arc<Self> {
        let account = Account { user_id: "@determinant:localhost".to_owned(), ..Account::default() };
        let memory = Memory {
            pepper: format!("pepper{:x}", rand::random::<u32>()),
            terms: None,
            accounts: BTreeMap::from([(ACCESS_TOKEN.to_owned(), account)]),
            sessions: Sessions::default(),
            bindings: BTreeMap::new(),
            invites: Invites::default(),
        };
        let letters = watch::Sender::new(Vec::new());
        Arc::new(Service { name, key, homeserver, letters, memory: Mutex::new(memory) })
    }

    /// The key that it signs with.
    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What it has written to people so far, and whatever it writes from now on.
    pub(crate) fn letters(&self) -> watch::Receiver<Vec<Letter>> {
        self.letters.subscribe()
    }

    /// Takes it for known that an address is a user's.
    pub(super) fn bind(&self, email: &str, user_id: &str) {
        let address = Address { medium: "email".to_owned(), address: email.to_owned() };
        self.memory().bindings.insert(address, user_id.to_owned());
    }

    /// Has everyone accept these terms first.
    pub(super) fn demand(&self, terms: &str) {
        self.memory().terms = Some(terms.to_owned());
    }

    /// A session in which somebody has shown that an e-mail address is theirs; gives its id.
    pub(super) fn validated_session(&self, email: &str, client_secret: &str) -> String {
        let address = Address { medium: "email".to_owned(), address: email.to_owned() };
        let mut memory = self.memory();
        let (sid, _) = memory.sessions.open(address, client_secret, 1, None);
        if let Ok(session) = memory.sessions.find(&sid, client_secret) {
            session.validated_at_ms = Some(now_ms());
        }
        sid
    }

    /// What it answers; nothing where it is not asked for an operation.
    pub(crate) fn answer(self: &Arc<Self>, asked: &Asked) -> Option<Replying> {
        let operation = asked.operation?.id.as_str();
        let asker = match self.asker(asked) {
            Ok(asker) => asker,
            Err(refusal) => return Some(ready(refusal.into())),
        };
        if operation == "registerAccount" {
            let (service, token) = (self.clone(), asked.json.clone());
            return Some(Box::pin(async move { replied(service.register(&token).await) }));
        }
        let reply = match operation {
            "emailSubmitTokenGetV2" | "msisdnSubmitTokenGetV2" => self.follow(asked),
            _ => replied(self.known(operation, &asker, asked)),
        };
        Some(ready(reply))
    }

    fn known(self: &Arc<Self>, operation: &str, asker: &Asker, asked: &Asked) -> Result<Value, Refusal> {
        match operation {
            "getVersions" => Ok(json!({"versions": ["v1.19"]})),
            "pingV2" => Ok(json!({})),
            "getAccount" => self.account(asker),
            "logout" => self.log_out(asker),
            "getTerms" => Ok(self.terms()),
            "agreeToTerms" => self.agree(asker, asked),
            "getPubKeyV2" => self.public_key(asked.parameter("keyId")),
            "isPubKeyValidV2" => {
                Ok(json!({"valid": asked.parameter("public_key") == self.key.verify_key().to_base64()}))
            }
            "isEphemeralPubKeyValidV2" => {
                Ok(json!({"valid": self.memory().invites.has_key(asked.parameter("public_key"))}))
            }
            "getHashDetails" => {
                Ok(json!({"algorithms": ["sha256", "none"], "lookup_pepper": self.memory().pepper}))
            }
            "lookupUsersV2" => self.look_up(asked),
            "emailRequestTokenV2" => self.request_token(asked, email(asked)?),
            "msisdnRequestTokenV2" => self.request_token(asked, msisdn(asked)?),
            "emailSubmitTokenPostV2" | "msisdnSubmitTokenPostV2" => {
                self.submit_token(asked).map(|_| json!({"success": true}))
            }
            "getValidated3pidV2" => self.validated(asked),
            "bindV2" => self.bind_session(asked),
            "unbindV2" => self.unbind(asker, asked),
            "storeInviteV2" => self.store_invite(asked),
            "blindlySignStuffV2" => self.sign_blindly(asked),
            _ => Err(Refusal(404, "M_UNRECOGNIZED", "an identity server has no such operation")),
        }
    }

    // `identity-service-api/#key-management`

    fn public_key(&self, id: &str) -> Result<Value, Refusal> {
        if id != self.key.id().as_str() {
            return Err(Refusal(404, "M_NOT_FOUND", "no key has this id"));
        }
        Ok(json!({"public_key": self.key.verify_key().to_base64()}))
    }

    // `identity-service-api/#association-lookup`

    fn look_up(&self, asked: &Asked) -> Result<Value, Refusal> {
        let (algorithm, pepper) = (field(asked, "algorithm")?, field(asked, "pepper")?);
        let wanted = asked.json["addresses"].as_array().ok_or_else(missing)?;
        let memory = self.memory();
        if pepper != memory.pepper {
            return Err(Refusal(400, "M_INVALID_PEPPER", "the pepper is another by now"));
        }
        let hide = |address: &Address| {
            let plain = format!("{} {}", address.address, address.medium);
            match algorithm.as_str() {
                "sha256" => Ok(base64::encode_url_safe(Sha256::digest(format!("{plain} {pepper}")))),
                "none" => Ok(plain),
                _ => Err(Refusal(400, "M_INVALID_PARAM", "the algorithms are sha256 and none")),
            }
        };
        let mut mappings = serde_json::Map::new();
        for (address, user_id) in &memory.bindings {
            let hidden = hide(address)?;
            if wanted.iter().any(|wanted| wanted == hidden.as_str()) {
                mappings.insert(hidden, json!(user_id));
            }
        }
        Ok(json!({"mappings": mappings}))
    }

    // `identity-service-api/#establishing-associations`

    fn request_token(&self, asked: &Asked, address: Address) -> Result<Value, Refusal> {
        let client_secret = field(asked, "client_secret")?;
        let attempt = asked.json["send_attempt"].as_i64();
        let attempt =
            attempt.or_else(|| asked.form_field("send_attempt")?.parse().ok()).ok_or_else(missing)?;
        let next_link = field(asked, "next_link").ok();
        let (sid, token) = self.memory().sessions.open(address.clone(), &client_secret, attempt, next_link);
        if let Some(token) = token {
            let text = if address.medium == "email" {
                format!(
                    "https://{}/_matrix/identity/v2/validate/email/submitToken?sid={sid}&client_secret={}&token={token}",
                    self.name,
                    encoded(&client_secret)
                )
            } else {
                format!("Your code is {token}.")
            };
            self.write(Letter { to: address.address, text, token });
        }
        Ok(json!({"sid": sid}))
    }

    /// Gives where its reader is to go next.
    fn submit_token(&self, asked: &Asked) -> Result<Option<String>, Refusal> {
        let (sid, client_secret) = (field(asked, "sid")?, field(asked, "client_secret")?);
        let token = field(asked, "token")?;
        let mut memory = self.memory();
        let session = memory.sessions.find(&sid, &client_secret)?;
        session.submit(&token, now_ms())?;
        Ok(session.next_link.clone())
    }

    /// What whoever opens the link of an e-mail is shown.
    fn follow(&self, asked: &Asked) -> Reply {
        match self.submit_token(asked) {
            Ok(Some(link)) => Reply::redirect(&link),
            Ok(None) => Reply::bytes(200, "text/html", "<p>The address is yours.</p>"),
            Err(Refusal(status, _, why)) => Reply::bytes(
                status,
                "text/html",
                format!("<p>It cannot be shown that the address is yours: {why}.</p>"),
            ),
        }
    }

    fn validated(&self, asked: &Asked) -> Result<Value, Refusal> {
        let mut memory = self.memory();
        let session = memory.sessions.validated(asked.parameter("sid"), asked.parameter("client_secret"))?;
        let Address { medium, address } = &session.address;
        Ok(json!({"medium": medium, "address": address, "validated_at": session.validated_at_ms}))
    }

    /// Publishes whose an address is, and tells the homeserver of the invites that have waited for it.
    fn bind_session(self: &Arc<Self>, asked: &Asked) -> Result<Value, Refusal> {
        let (sid, client_secret) = (field(asked, "sid")?, field(asked, "client_secret")?);
        let user_id = field(asked, "mxid")?;
        let (address, invites) = {
            let mut memory = self.memory();
            let address = memory.sessions.validated(&sid, &client_secret)?.address.clone();
            memory.bindings.insert(address.clone(), user_id.clone());
            let invites = memory.invites.waiting_for(&address);
            (address, invites)
        };
        let now = now_ms();
        let binding = json!({
            "medium": address.medium, "address": address.address, "mxid": user_id,
            "not_before": now, "not_after": now + BOUND_FOR_MS, "ts": now,
        });
        if !invites.is_empty() {
            let service = self.clone();
            tokio::spawn(async move { service.tell_of(&address, &user_id, &invites).await });
        }
        Ok(resigned(binding, &self.name, &self.key))
    }

    /// The server-server API has a PUT for it (`server-server-api/#put_matrixfederationv13pidonbind`), the identity service API a
    /// POST (`identity-service-api/#invitation-storage`).
    async fn tell_of(&self, address: &Address, user_id: &str, invites: &[Invite]) {
        let Some(ask) = &self.homeserver else { return };
        let invites: Vec<Value> = invites
            .iter()
            .map(|invite| {
                let signed = json!({"mxid": user_id, "token": invite.token});
                json!({
                    "medium": address.medium, "address": address.address, "mxid": user_id,
                    "room_id": invite.room_id, "sender": invite.sender,
                    "signed": resigned(signed, &self.name, &self.key),
                })
            })
            .collect();
        let body = json!({
            "medium": address.medium, "address": address.address, "mxid": user_id, "invites": invites,
        });
        let body = resigned(body, &self.name, &self.key);
        for method in [Method::PUT, Method::POST] {
            if ask(method, "/_matrix/federation/v1/3pid/onbind".to_owned(), Some(body.clone()))
                .await
                .is_some()
            {
                return;
            }
        }
    }

    /// Whoever asks has the address, or answers for the user.
    fn unbind(&self, asker: &Asker, asked: &Asked) -> Result<Value, Refusal> {
        let user_id = field(asked, "mxid")?;
        let text = |name: &str| asked.json["threepid"][name].as_str().map(str::to_owned).ok_or_else(missing);
        let address = Address { medium: text("medium")?, address: text("address")? };
        let mut memory = self.memory();
        if !matches!(asker, Asker::Homeserver) {
            let session =
                memory.sessions.validated(&field(asked, "sid")?, &field(asked, "client_secret")?)?;
            if session.address != address {
                return Err(Refusal(403, "M_FORBIDDEN", "the session has validated another address"));
            }
        }
        if memory.bindings.get(&address).is_some_and(|bound| *bound == user_id) {
            memory.bindings.remove(&address);
        }
        Ok(json!({}))
    }

    // `identity-service-api/#invitation-storage`

    fn store_invite(&self, asked: &Asked) -> Result<Value, Refusal> {
        let address = Address { medium: field(asked, "medium")?, address: field(asked, "address")? };
        let (room_id, sender) = (field(asked, "room_id")?, field(asked, "sender")?);
        if address.medium != "email" {
            return Err(Refusal(400, "M_UNRECOGNIZED", "invites are for e-mail addresses"));
        }
        let mut memory = self.memory();
        if memory.bindings.contains_key(&address) {
            return Err(Refusal(400, "M_THREEPID_IN_USE", "the address is somebody's"));
        }
        let (token, ephemeral) = memory.invites.keep(&address, room_id, sender.clone())?;
        let room = asked.json["room_name"].as_str().unwrap_or("a room");
        self.write(Letter {
            to: address.address.clone(),
            text: format!("{sender} invites you to {room}."),
            token: token.clone(),
        });
        let url = format!("https://{}/_matrix/identity/v2/pubkey", self.name);
        Ok(json!({
            "token": token,
            "display_name": redacted(&address.address),
            "public_keys": [
                {"public_key": self.key.verify_key().to_base64(), "key_validity_url": format!("{url}/isvalid")},
                {"public_key": ephemeral, "key_validity_url": format!("{url}/ephemeral/isvalid")},
            ],
        }))
    }

    // `identity-service-api/#ephemeral-invitation-signing`

    fn sign_blindly(&self, asked: &Asked) -> Result<Value, Refusal> {
        let (user_id, token) = (field(asked, "mxid")?, field(asked, "token")?);
        let sender = self.memory().invites.sender_of(&token);
        let sender = sender.ok_or(Refusal(404, "M_UNRECOGNIZED", "no invite has this token"))?;
        let key = SigningKey::from_base64_seed("0", &field(asked, "private_key")?);
        let key =
            key.map_err(|_| Refusal(400, "M_INVALID_PARAM", "private_key must be a key in unpadded base64"))?;
        Ok(resigned(json!({"mxid": user_id, "sender": sender, "token": token}), &self.name, &key))
    }

    fn write(&self, letter: Letter) {
        self.letters.send_modify(|letters| letters.push(letter));
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn email(asked: &Asked) -> Result<Address, Refusal> {
    let address = field(asked, "email")?;
    if !address.contains('@') {
        return Err(Refusal(400, "M_INVALID_EMAIL", "this is no e-mail address"));
    }
    Ok(Address { medium: "email".to_owned(), address })
}

/// As `appendices/#3pid-types` has it: with the country's prefix, without a plus sign. Numbers have to be international, as the
/// numbering plans of countries are nobody's affair here.
fn msisdn(asked: &Asked) -> Result<Address, Refusal> {
    field(asked, "country")?;
    let number = field(asked, "phone_number")?;
    let digits = number.trim_start_matches('+');
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) || digits.len() < 7 || digits.starts_with('0') {
        return Err(Refusal(400, "M_INVALID_ADDRESS", "this is no number with the prefix of its country"));
    }
    Ok(Address { medium: "msisdn".to_owned(), address: digits.to_owned() })
}

/// A text of the body, which may be JSON or, as earlier drafts had it, a form; or of the query.
fn field(asked: &Asked, name: &str) -> Result<String, Refusal> {
    let text = asked.json[name].as_str().map(str::to_owned);
    let text = text.or_else(|| Some(asked.parameter(name).to_owned()).filter(|text| !text.is_empty()));
    text.or_else(|| asked.form_field(name)).ok_or_else(missing)
}

pub(super) fn missing() -> Refusal {
    Refusal(400, "M_MISSING_PARAMS", "a parameter is missing")
}

fn replied(answer: Result<Value, Refusal>) -> Reply {
    answer.map_or_else(Reply::from, Reply::json)
}

fn ready(reply: Reply) -> Replying {
    Box::pin(std::future::ready(reply))
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
