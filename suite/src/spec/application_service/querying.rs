//! `application-service-api/#querying`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, neighbour::Asked},
    path,
    verdict::Verdict,
};

/// An alias of its namespace that leads nowhere is asked of the application service, and leads nowhere if it says so.
#[conformance(
    spec = "application-service-api/#get_matrixappv1roomsroomalias",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn unknown_alias_is_asked_for(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let alias = service.unused_alias();
    alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).must_be(404).await?;
    let asked = |asked: &Asked| (asked.parameter("roomAlias") == alias).then_some(());
    service.sees("queryRoomByAlias", asked).await
}

/// A user of its namespace who does not exist is asked of the application service when somebody invites them.
#[conformance(
    spec = "application-service-api/#get_matrixappv1usersuserid",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn unknown_user_is_asked_for(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let user_id = service.unused_user_id();
    let room = alice.create_room(json!({})).await?;
    alice
        .post(path!("/_matrix/client/v3/rooms/{}/invite", room), json!({"user_id": user_id}))
        .answer()
        .await?;
    let asked = |asked: &Asked| (asked.parameter("userId") == user_id).then_some(());
    service.sees("queryUserById", asked).await
}
