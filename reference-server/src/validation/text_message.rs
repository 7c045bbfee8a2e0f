//! Text messages, through a gateway that takes them as JSON: every provider has one, and they differ in no more.

use std::time::Duration;

use serde_json::json;

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::store::validations::Validation;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends the token itself: nobody opens links from text messages.
pub(super) async fn send_token(
    server: &Homeserver,
    validation: &Validation,
    token: &str,
) -> Result<(), MatrixError> {
    let Some(settings) = &server.config.text_messages else {
        return Err(MatrixError::internal("there is no gateway for text messages"));
    };
    let text = format!("{token} is your code for {}.", server.name());
    let message = json!({"to": format!("+{}", validation.address.address), "text": text});
    // The operator has named the gateway, so it may be in a private network.
    let request = server.trusted.post(&settings.gateway).timeout(TIMEOUT).json(&message);
    let sent = request.send().await.and_then(reqwest::Response::error_for_status);
    sent.map(drop).map_err(|error| MatrixError::internal(format!("gateway for text messages: {error}")))
}
