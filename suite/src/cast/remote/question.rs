//! What a remote is asked.

use std::{collections::BTreeMap, sync::Arc};

use fixtures::catalogue::{Api, Catalogue};
use serde_json::Value;

use super::door::{Reached, Visit};
use crate::exchange::Exchange;

/// What a peer may ask of a remote: an operation of the server-server API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Question {
    ServerKeys,
    KeyQuery,
    BulkKeyQuery,
    Version,
    WellKnown,
    Transaction,
    MakeJoin,
    SendJoin,
    MakeLeave,
    SendLeave,
    MakeKnock,
    SendKnock,
    Invite,
    InviteV1,
    ThirdPartyInvite,
    State,
    StateIds,
    Event,
    EventAuth,
    Backfill,
    MissingEvents,
    EventByTimestamp,
    Hierarchy,
    PublicRooms,
    SearchPublicRooms,
    Directory,
    Profile,
    Devices,
    QueryKeys,
    ClaimKeys,
    Media,
    Thumbnail,
    OpenId,
    Policy,
}

impl Question {
    const NAMES: [(Self, &'static str); 34] = [
        (Self::ServerKeys, "getServerKey"),
        (Self::KeyQuery, "perspectivesKeyQuery"),
        (Self::BulkKeyQuery, "bulkPerspectivesKeyQuery"),
        (Self::Version, "getVersion"),
        (Self::WellKnown, "getWellKnown"),
        (Self::Transaction, "sendTransaction"),
        (Self::MakeJoin, "makeJoin"),
        (Self::SendJoin, "sendJoinV2"),
        (Self::MakeLeave, "makeLeave"),
        (Self::SendLeave, "sendLeaveV2"),
        (Self::MakeKnock, "makeKnock"),
        (Self::SendKnock, "sendKnock"),
        (Self::Invite, "sendInviteV2"),
        (Self::InviteV1, "sendInviteV1"),
        (Self::ThirdPartyInvite, "exchangeThirdPartyInvite"),
        (Self::State, "getRoomState"),
        (Self::StateIds, "getRoomStateIds"),
        (Self::Event, "getEvent"),
        (Self::EventAuth, "getEventAuth"),
        (Self::Backfill, "backfillRoom"),
        (Self::MissingEvents, "getMissingPreviousEvents"),
        (Self::EventByTimestamp, "getEventByTimestamp"),
        (Self::Hierarchy, "getSpaceHierarchy"),
        (Self::PublicRooms, "getPublicRooms"),
        (Self::SearchPublicRooms, "queryPublicRooms"),
        (Self::Directory, "queryRoomDirectory"),
        (Self::Profile, "queryProfile"),
        (Self::Devices, "getUserDevices"),
        (Self::QueryKeys, "queryUserEncryptionKeys"),
        (Self::ClaimKeys, "claimUserEncryptionKeys"),
        (Self::Media, "getContent"),
        (Self::Thumbnail, "getContentThumbnail"),
        (Self::OpenId, "exchangeOpenIdToken"),
        (Self::Policy, "askPolicyServerToSign"),
    ];

    /// The question that stands for an operation of the catalogue.
    pub(super) fn of(operation: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| *name == operation).map(|(question, _)| *question)
    }
}

/// A request that a remote was sent.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What was asked; nothing where the specification has no such operation.
    pub question: Option<Question>,
    /// The path, percent-encoded, with its query.
    pub target: String,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body, where it is JSON.
    pub json: Value,
    /// Where and by which name it was asked.
    pub reached: Reached,
    parameters: BTreeMap<String, String>,
}

impl Asked {
    /// Reads a request, whose body is this where it is JSON.
    pub(super) fn read(visit: &Visit, json: Value) -> Self {
        let (method, target) = (visit.method.as_str(), visit.target.as_str());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let route = Catalogue::v1_19().route(Api::ServerServer, method, path);
        let mut parameters: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if let Some(route) = &route {
            parameters.extend(route.path_parameters.clone());
        }
        let question = route.and_then(|route| Question::of(&route.operation.id));
        Asked {
            question,
            target: target.to_owned(),
            headers: visit.headers.clone(),
            json,
            reached: visit.reached.clone(),
            parameters,
        }
    }

    /// A path or query parameter, decoded; empty where there is none.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The `Host` header; empty where there is none.
    pub fn host(&self) -> &str {
        self.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    /// All values of a query parameter that may be repeated.
    pub fn parameters(&self, name: &str) -> Vec<String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.filter(|(found, _)| found == name).map(|(_, value)| value.into_owned()).collect()
    }

    /// The events of a transaction.
    pub fn pdus(&self) -> &[Value] {
        self.listed(Question::Transaction, "pdus")
    }

    /// The ephemeral data units of a transaction.
    pub fn edus(&self) -> &[Value] {
        self.listed(Question::Transaction, "edus")
    }

    fn listed(&self, question: Question, name: &str) -> &[Value] {
        let list = self.json[name].as_array().filter(|_| self.question == Some(question));
        list.map_or(&[], Vec::as_slice)
    }
}

/// A request that a remote was sent, with what it answered.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// What was asked.
    pub asked: Asked,
    /// The whole exchange.
    pub exchange: Arc<Exchange>,
}
