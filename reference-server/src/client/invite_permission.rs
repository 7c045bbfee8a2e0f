//! Users who want no invitations: client-server-api/#invite-permission.

use serde_json::Value;

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::StoreError;
use crate::store::account_data::{self, GLOBAL};

/// The account data in which a user says so.
pub(super) const TYPE: &str = "m.invite_permission_config";

/// Refuses to invite a user of this server who blocks invitations. What those of other servers want, their servers know.
pub(crate) async fn must_be_wanted(server: &Homeserver, user_id: &str) -> Result<(), MatrixError> {
    if is_wanted(server, user_id).await? {
        return Ok(());
    }
    Err(MatrixError::invite_blocked("this user wants no invitations"))
}

/// Whether account data of this type block invitations.
pub(super) fn blocks(content: &Value) -> bool {
    content.get("default_action").and_then(Value::as_str) == Some("block")
        && !commits(Fault::InvitesNotBlocked)
}

async fn is_wanted(server: &Homeserver, user_id: &str) -> Result<bool, StoreError> {
    let user_id = user_id.to_owned();
    let read = move |c: &rusqlite::Connection| account_data::get(c, &user_id, GLOBAL, TYPE);
    Ok(!server.store.read(read).await?.is_some_and(|content| blocks(&content)))
}
