//! What users do, by the names that profiles and records use.

use serde::Deserialize;

/// Something a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Sends a text message; its delivery to everybody else who is online is measured too.
    Send,
    /// Sends an encrypted message; its delivery is measured too.
    SendEncrypted,
    /// Tells that he types.
    Typing,
    /// Tells how far he has read.
    Receipt,
    /// Reads back one page of a room's history.
    Messages,
    /// Gets the whole state of a room.
    State,
    /// Gets the members of a room.
    Members,
    /// Comes back: a sync since his last one that does not wait.
    IncrementalSync,
    /// Logs in on a fresh device and gets everything: a sync without a beginning.
    InitialSync,
    /// Logs in with his password, and out again.
    Login,
    /// Makes an account, and logs out of it.
    SignUp,
    /// Searches a room for a word.
    Search,
    /// Joins a room of those that are there to be joined, and leaves it.
    Join,
    /// Uploads bytes.
    Upload,
    /// Downloads what somebody uploaded.
    Download,
    /// Uploads device keys and a handful of one-time keys.
    KeysUpload,
    /// Gets the device keys of everybody in a room.
    KeysQuery,
    /// Claims a one-time key of somebody in a room.
    KeysClaim,
    /// Sends a message to somebody's devices; its delivery is measured too.
    ToDevice,
    /// Calls the other one in a room, from dialling to hanging up.
    Call,
    /// A scripted server sends a transaction of messages; the delivery of the last one to everybody who is online is
    /// measured too.
    ServerSend,
    /// A scripted server tells that one of its users types.
    ServerTyping,
    /// A scripted server tells how far one of its users has read.
    ServerReceipt,
    /// A user of a scripted server joins a room of those that are there to be joined, and leaves it.
    ServerJoin,
    /// A scripted server asks for what came before an event.
    Backfill,
    /// A scripted server asks for the state before an event.
    StateIds,
    /// A scripted server asks for what lies between events.
    MissingEvents,
    /// A scripted server asks for the device keys of a user.
    ServerKeysQuery,
}

impl Operation {
    /// Its name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::Send => "send",
            Operation::SendEncrypted => "send-encrypted",
            Operation::Typing => "typing",
            Operation::Receipt => "receipt",
            Operation::Messages => "messages",
            Operation::State => "state",
            Operation::Members => "members",
            Operation::IncrementalSync => "incremental-sync",
            Operation::InitialSync => "initial-sync",
            Operation::Login => "login",
            Operation::SignUp => "sign-up",
            Operation::Search => "search",
            Operation::Join => "join",
            Operation::Upload => "upload",
            Operation::Download => "download",
            Operation::KeysUpload => "keys-upload",
            Operation::KeysQuery => "keys-query",
            Operation::KeysClaim => "keys-claim",
            Operation::ToDevice => "to-device",
            Operation::Call => "call",
            Operation::ServerSend => "server-send",
            Operation::ServerTyping => "server-typing",
            Operation::ServerReceipt => "server-receipt",
            Operation::ServerJoin => "server-join",
            Operation::Backfill => "backfill",
            Operation::StateIds => "state-ids",
            Operation::MissingEvents => "missing-events",
            Operation::ServerKeysQuery => "server-keys-query",
        }
    }

    /// Whether scripted servers do it.
    #[must_use]
    pub fn is_of_servers(self) -> bool {
        self.is_signed_ahead() || self == Operation::ServerJoin
    }

    /// Whether it is signed before the run.
    #[must_use]
    pub fn is_signed_ahead(self) -> bool {
        let asks = matches!(
            self,
            Operation::Backfill | Operation::StateIds | Operation::MissingEvents | Operation::ServerKeysQuery
        );
        asks || self.is_transaction()
    }

    /// Whether it is a transaction, of which a server sends one at a time.
    #[must_use]
    pub fn is_transaction(self) -> bool {
        matches!(self, Operation::ServerSend | Operation::ServerTyping | Operation::ServerReceipt)
    }

    /// The series of what it brings with it.
    #[must_use]
    pub fn followed_by(self) -> &'static [&'static str] {
        match self {
            Operation::InitialSync => &["login", "logout"],
            Operation::Login | Operation::SignUp => &["logout"],
            Operation::Join => &["leave"],
            Operation::ServerJoin => &["make-join", "make-leave", "send-join", "send-leave"],
            Operation::Call => &[
                "answer",
                "answer-to-caller",
                "candidates",
                "dial-to-ring",
                "glare",
                "hangup",
                "hangup-propagation",
                "invite",
                "negotiate",
                "reject",
                "reject-propagation",
                "renegotiation",
                "select-answer",
                "turn-allocation",
                "turn-credentials",
            ],
            _ => &[],
        }
    }

    /// The series of the deliveries that it causes.
    #[must_use]
    pub fn delivery(self) -> Option<&'static str> {
        match self {
            Operation::Send | Operation::SendEncrypted => Some("delivery"),
            Operation::ToDevice => Some("to-device-delivery"),
            Operation::ServerSend => Some("delivery-inbound"),
            _ => None,
        }
    }
}
