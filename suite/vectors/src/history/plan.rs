//! An event in the making, before it has a place in the room.

use protocol::Object;
use protocol::identifiers::server_name_of;
use serde_json::Value;

use super::scene::server_of;

/// An event in the making.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) event_type: &'static str,
    pub(super) state_key: Option<String>,
    pub(super) content: Value,
    /// Other properties at the top level.
    pub(super) with: Object,
    /// Who signs, if not those who should.
    pub(super) signers: Option<Vec<String>>,
    /// Whether it has no previous events.
    pub(super) is_beginning: bool,
    /// What people say that it does.
    pub(super) says: String,
}

impl Plan {
    pub(super) fn state(
        event_type: &'static str,
        state_key: &str,
        content: Value,
        says: impl Into<String>,
    ) -> Self {
        Self { state_key: Some(state_key.to_owned()), ..Self::message(event_type, content, says) }
    }

    pub(super) fn message(event_type: &'static str, content: Value, says: impl Into<String>) -> Self {
        Self {
            event_type,
            state_key: None,
            content,
            with: Object::new(),
            signers: None,
            is_beginning: false,
            says: says.into(),
        }
    }
}

/// The servers that should sign: the sender's, and that of who authorised a join.
pub(super) fn due_signers(plan: &Plan, actor: &str) -> Vec<String> {
    let authoriser = plan.content["join_authorised_via_users_server"].as_str().and_then(server_name_of);
    let mut signers = vec![server_of(actor).to_owned()];
    signers.extend(authoriser.map(str::to_owned).filter(|server| *server != signers[0]));
    signers
}
