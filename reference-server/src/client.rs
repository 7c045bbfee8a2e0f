//! The client-server API: one submodule per module of the specification, with its name.

mod account_data;
mod account_deactivation;
mod address_validation;
mod administrative_contact_information;
mod application_services;
mod capabilities;
pub(crate) mod content_repository;
mod current_account_information;
mod deprecated_syncing;
mod device_management;
pub(crate) mod end_to_end_encryption;
mod event_by_timestamp;
mod event_context;
mod filters;
mod getting_events;
pub(crate) mod invite_permission;
mod joining_rooms;
mod key_backups;
mod leaving_rooms;
mod listing_notifications;
mod login;
mod logout;
mod mutual_rooms;
pub(crate) mod oauth;
mod openid;
mod password_management;
mod presence;
mod profiles;
pub(crate) mod published_room_directory;
mod push_notifications;
mod push_rules;
mod read_markers;
mod receipts;
mod redactions;
mod refresh_tokens;
mod registration;
pub(crate) mod registration_by_secret;
mod relationships;
mod reporting_content;
mod room_aliases;
mod room_creation;
mod room_initial_sync;
mod room_membership;
mod room_state;
pub(crate) mod room_summaries;
mod room_upgrades;
mod send_to_device;
mod sending_events;
mod server_administration;
mod server_discovery;
mod server_notices;
mod server_side_search;
pub(crate) mod spaces;
pub(crate) mod sso_client_login;
pub(crate) mod syncing;
mod tags;
pub(crate) mod third_party_invites;
mod third_party_networks;
mod threading;
mod typing_notifications;
mod user_directory;
pub(crate) mod user_interactive_authentication;
mod voice_over_ip;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN};
use http::{HeaderValue, Method, StatusCode};

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::rate_limits;
use crate::store::StoreError;

/// The routes that clients use.
pub(crate) fn router(server: &Arc<Homeserver>) -> Router {
    Router::new()
        .merge(server_discovery::routes())
        .merge(registration::routes())
        .merge(registration_by_secret::routes())
        .merge(login::routes())
        .merge(sso_client_login::routes())
        .merge(oauth::routes(server))
        .merge(refresh_tokens::routes())
        .merge(logout::routes())
        .merge(current_account_information::routes())
        .merge(password_management::routes())
        .merge(account_deactivation::routes())
        .merge(administrative_contact_information::routes())
        .merge(address_validation::routes())
        .merge(application_services::routes())
        .merge(user_interactive_authentication::routes())
        .merge(capabilities::routes())
        .merge(device_management::routes())
        .merge(profiles::routes())
        .merge(account_data::routes())
        .merge(tags::routes())
        .merge(filters::routes())
        .merge(room_creation::routes())
        .merge(room_membership::routes())
        .merge(leaving_rooms::routes())
        .merge(joining_rooms::routes())
        .merge(room_aliases::routes())
        .merge(room_state::routes())
        .merge(sending_events::routes())
        .merge(redactions::routes())
        .merge(getting_events::routes())
        .merge(event_by_timestamp::routes())
        .merge(event_context::routes())
        .merge(published_room_directory::routes())
        .merge(receipts::routes())
        .merge(read_markers::routes())
        .merge(presence::routes())
        .merge(typing_notifications::routes())
        .merge(send_to_device::routes())
        .merge(syncing::routes())
        .merge(openid::routes())
        .merge(push_rules::routes())
        .merge(push_notifications::routes())
        .merge(relationships::routes())
        .merge(end_to_end_encryption::routes())
        .merge(key_backups::routes())
        .merge(content_repository::routes())
        .merge(third_party_networks::routes())
        .merge(threading::routes())
        .merge(room_summaries::routes())
        .merge(room_initial_sync::routes())
        .merge(spaces::routes())
        .merge(server_side_search::routes())
        .merge(deprecated_syncing::routes())
        .merge(listing_notifications::routes())
        .merge(voice_over_ip::routes())
        .merge(user_directory::routes())
        .merge(server_administration::routes())
        .merge(server_notices::routes())
        .merge(mutual_rooms::routes())
        .merge(room_upgrades::routes())
        .merge(reporting_content::routes())
        .method_not_allowed_fallback(async || MatrixError::wrong_method())
        .fallback(async || MatrixError::unrecognized("this server has no such path"))
        .layer(middleware::from_fn_with_state(Arc::clone(server), rate_limits::keep))
        .layer(middleware::from_fn(cross_origin))
        .with_state(Arc::clone(server))
}

/// Makes the accounts of the users that application services are when they name no other, and of who sends notices.
pub(crate) async fn register_senders(server: &Homeserver) -> Result<(), StoreError> {
    if let Some(sender) = server_notices::sender(server) {
        registration::ensure(server, &sender).await?;
    }
    for service in server.application_services.iter() {
        registration::ensure(server, &service.sender).await?;
    }
    Ok(())
}

/// Routes whose handlers need the server.
type Routes = Router<Arc<Homeserver>>;

/// Lets scripts of any origin in, and answers `OPTIONS` before anything else looks at the request
/// (client-server-api/#web-browser-clients).
async fn cross_origin(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::OK.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With, Content-Type, Authorization"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
