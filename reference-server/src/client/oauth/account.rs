//! Where users manage their accounts in a browser: client-server-api/#oauth-20-account-management.
//!
//! Nobody is logged in on these pages: every answer to one says who gives it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::ACCOUNT;
use super::page::{self, Answered, form, page, read};
use crate::client::{account_deactivation, device_management};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::request::Query;
use crate::store::devices::{self, Device};

/// What clients may send users here for, as the metadata list it.
pub(super) const ACTIONS: [&str; 4] = [LIST, VIEW, DELETE, DEACTIVATE];

const LIST: &str = "org.matrix.devices_list";
const VIEW: &str = "org.matrix.device_view";
const DELETE: &str = "org.matrix.device_delete";
const DEACTIVATE: &str = "org.matrix.account_deactivate";

/// The action of the stage `m.oauth`, which goes on with a session and is nothing by itself, so that it is not listed.
const RESET: &str = "org.matrix.cross_signing_reset";

/// The page of the stage `m.oauth` (client-server-api/#oauth-authentication), for a session of it.
pub(in crate::client) fn reset_url(server: &Homeserver, session: &str) -> String {
    format!("{}?action={RESET}&session={session}", url(server))
}

/// The address of these pages.
pub(super) fn url(server: &Homeserver) -> String {
    format!("{}{ACCOUNT}", server.base_url.trim_end_matches('/'))
}

pub(super) async fn show(query: Query) -> Result<Response, MatrixError> {
    if query.text("action") == Some(RESET) {
        return page::show_approval(&query);
    }
    let wish = Wish::read(&query, "action")?;
    Ok(wish.ask(None))
}

pub(super) async fn decide(
    State(server): State<Arc<Homeserver>>,
    body: Bytes,
) -> Result<Response, MatrixError> {
    let form = form(&body);
    if form.text("session").is_some() {
        return page::approve(&server, &form).await;
    }
    let wish = Wish::read(&form, "wish")?;
    match read(&server, &form).await? {
        Answered::Allowed(user_id) => wish.grant(&server, &user_id).await,
        Answered::Mistaken(complaint) => Ok(wish.ask(Some(&complaint))),
        Answered::Denied => Ok(page(html! { p { "Nothing was changed." } })),
    }
}

/// What the user wants.
enum Wish {
    List,
    View(String),
    Delete(String),
    Deactivate,
}

impl Wish {
    /// The wish of a query or a form; without one, the user looks around.
    fn read(fields: &Query, name: &str) -> Result<Self, MatrixError> {
        let device_id = || fields.required("device_id").map(str::to_owned);
        match fields.text(name) {
            None | Some(LIST) => Ok(Wish::List),
            Some(VIEW) => device_id().map(Wish::View),
            Some(DELETE) => device_id().map(Wish::Delete),
            Some(DEACTIVATE) => Ok(Wish::Deactivate),
            Some(_) => Err(MatrixError::invalid_param("the account can not be managed with this action")),
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Wish::List => LIST,
            Wish::View(_) => VIEW,
            Wish::Delete(_) => DELETE,
            Wish::Deactivate => DEACTIVATE,
        }
    }

    fn ask(&self, complaint: Option<&str>) -> Response {
        let device_id = match self {
            Wish::View(device_id) | Wish::Delete(device_id) => Some(device_id),
            Wish::List | Wish::Deactivate => None,
        };
        page(html! {
            p { (self.in_words()) }
            @if let Some(complaint) = complaint { p role="alert" { (complaint) } }
            form method="post" {
                input type="hidden" name="wish" value=(self.action());
                @if let Some(device_id) = device_id { input type="hidden" name="device_id" value=(device_id); }
                p { label { "User name " input name="username" required autocomplete="username"; } }
                p { label { "Password " input name="password" type="password" required; } }
                button name="action" value="allow" { "Go on" }
                button name="action" value="deny" formnovalidate { "Do nothing" }
            }
        })
    }

    fn in_words(&self) -> Markup {
        match self {
            Wish::List => html! { "Your devices are shown to you when you say who you are." },
            Wish::View(device_id) => {
                html! { "The device " (device_id) " is shown to you when you say who you are." }
            }
            Wish::Delete(device_id) => {
                html! { "The device " (device_id) " will be logged out. Its keys are lost with it." }
            }
            Wish::Deactivate => html! { "Your account will end, and nobody can have its name again." },
        }
    }

    async fn grant(&self, server: &Arc<Homeserver>, user_id: &str) -> Result<Response, MatrixError> {
        match self {
            Wish::List => {
                let owner = user_id.to_owned();
                let devices = server.store.read(move |c| devices::list(c, &owner)).await?;
                Ok(page(html! { ul { @for device in &devices { li { (described(device)) } } } }))
            }
            Wish::View(device_id) => Ok(page(described(&found(server, user_id, device_id).await?))),
            Wish::Delete(device_id) => {
                found(server, user_id, device_id).await?;
                device_management::remove(server, user_id, vec![device_id.clone()]).await.map(drop)?;
                Ok(page(html! { p { "The device is logged out." } }))
            }
            Wish::Deactivate => {
                account_deactivation::end(server, user_id, false, None).await?;
                Ok(page(html! { p { "The account has ended." } }))
            }
        }
    }
}

async fn found(server: &Homeserver, user_id: &str, device_id: &str) -> Result<Device, MatrixError> {
    let (owner, device_id) = (user_id.to_owned(), device_id.to_owned());
    let device = server.store.read(move |c| devices::find(c, &owner, &device_id)).await?;
    device.ok_or_else(|| MatrixError::not_found("no device of yours has this id"))
}

fn described(device: &Device) -> Markup {
    let encoded =
        percent_encoding::utf8_percent_encode(&device.device_id, percent_encoding::NON_ALPHANUMERIC);
    html! {
        (device.device_id) " " (device.display_name.as_deref().unwrap_or_default()) " "
        a href=(format!("{ACCOUNT}?action={DELETE}&device_id={encoded}")) { "Log it out" }
    }
}
