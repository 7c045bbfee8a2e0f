//! What an image that is kept for Complement leaves open: whether it knows Complement's shared secret, and whether it takes
//! registrations of application services.

use http::StatusCode;

use super::{RegistrationMethod, Target};
use crate::cast::neighbour::application_service;

impl Target {
    /// The target with what the server itself shows of that.
    pub(super) async fn with_what_it_shows(mut self) -> Self {
        if let RegistrationMethod::SharedSecret { path, .. } = &self.registration
            && self.ask(path, None).await != Some(StatusCode::OK)
        {
            self.registration = RegistrationMethod::Dummy;
        }
        let whoami = self.ask("/_matrix/client/v3/account/whoami", Some(application_service::AS_TOKEN)).await;
        if whoami == Some(StatusCode::UNAUTHORIZED) {
            let why = "it does not know the token of the registration in /complement/appservice";
            self.missing.insert("application_services".to_owned(), why.to_owned());
        }
        self
    }

    async fn ask(&self, path: &str, token: Option<&str>) -> Option<StatusCode> {
        let url = self.instances.first()?.client.join(path).ok()?;
        let mut request = self.http.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Some(request.send().await.ok()?.status())
    }
}
