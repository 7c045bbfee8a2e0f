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
            Operation::Join => "join",
            Operation::Upload => "upload",
            Operation::Download => "download",
            Operation::KeysUpload => "keys-upload",
            Operation::KeysQuery => "keys-query",
            Operation::KeysClaim => "keys-claim",
            Operation::ToDevice => "to-device",
            Operation::Call => "call",
        }
    }

    /// The series of what it brings with it.
    #[must_use]
    pub fn followed_by(self) -> &'static [&'static str] {
        match self {
            Operation::InitialSync => &["login", "logout"],
            Operation::Login => &["logout"],
            Operation::Join => &["leave"],
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
            _ => None,
        }
    }
}
