//! What people see of the authorization server: they say who they are and what they allow, on one page.

use axum::body::Bytes;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use maud::{DOCTYPE, Markup, html};

use crate::client::registration::{check_password, create, free_user_id};
use crate::client::user_interactive_authentication::{Stage, password_matches};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::password;
use crate::request::Query;
use crate::store::accounts::{self, Account};

/// What somebody has to be asked.
pub(super) struct Question<'a> {
    /// What is to be allowed.
    pub(super) what: Markup,
    /// What the form carries on.
    pub(super) hidden: Vec<(&'a str, &'a str)>,
    /// Whether new users are offered an account first.
    pub(super) creates: bool,
    /// What was wrong with the last answer.
    pub(super) complaint: Option<String>,
}

impl Question<'_> {
    /// The page.
    pub(super) fn show(&self) -> Response {
        page(html! {
            (self.what)
            @if let Some(complaint) = &self.complaint { p role="alert" { (complaint) } }
            form method="post" {
                @for (name, value) in &self.hidden { input type="hidden" name=(name) value=(value); }
                p { label { "User name " input name="username" required autocomplete="username"; } }
                p { label { "Password " input name="password" type="password" required; } }
                @if self.creates {
                    button name="action" value="create" { "Create this account and allow" }
                    button name="action" value="allow" { "I have an account: allow" }
                } @else {
                    button name="action" value="allow" { "Allow" }
                    button name="action" value="create" { "Create this account and allow" }
                }
                button name="action" value="deny" formnovalidate { "Do not allow" }
            }
        })
    }
}

/// What somebody has answered.
pub(super) enum Answered {
    /// They allow it, as this user.
    Allowed(String),
    /// They do not.
    Denied,
    /// They have to try again, because of this.
    Mistaken(String),
}

/// Reads an answer; makes the account first that is wished.
pub(super) async fn read(server: &Homeserver, form: &Query) -> Result<Answered, MatrixError> {
    let (username, password) =
        (form.text("username").unwrap_or_default(), form.text("password").unwrap_or_default());
    match form.text("action") {
        Some("allow") => {}
        Some("create") => {
            return match create_account(server, username, password).await {
                Ok(user_id) => Ok(Answered::Allowed(user_id)),
                Err(error) if error.has_status(http::StatusCode::INTERNAL_SERVER_ERROR) => Err(error),
                Err(error) => Ok(Answered::Mistaken(error.message().to_owned())),
            };
        }
        _ => return Ok(Answered::Denied),
    }
    let named = username.trim().to_lowercase();
    let user_id = if named.starts_with('@') { named } else { server.user_id(&named) };
    if !password_matches(server, &user_id, password).await? {
        return Ok(Answered::Mistaken("User name or password is wrong.".to_owned()));
    }
    let sought = user_id.clone();
    let account = server.store.read(move |connection| accounts::find(connection, &sought)).await?;
    match account {
        Some(account) if account.locked => Ok(Answered::Mistaken("This account is locked.".to_owned())),
        _ => Ok(Answered::Allowed(user_id)),
    }
}

async fn create_account(server: &Homeserver, username: &str, password: &str) -> Result<String, MatrixError> {
    if server.config.registration.mode != crate::config::RegistrationMode::Open {
        return Err(MatrixError::forbidden("accounts are not made on this page"));
    }
    let user_id = free_user_id(server, username).await?;
    check_password(server, password)?;
    let hash = password::hash(server.password_cost(), password.to_owned()).await?;
    let account = Account { user_id: user_id.clone(), password_hash: Some(hash), ..Account::default() };
    create(server, account).await.map(|()| user_id)
}

/// Asks for what a session of the stage `m.oauth` waits for (client-server-api/#oauth-authentication).
pub(super) fn show_approval(query: &Query) -> Result<Response, MatrixError> {
    let session = query.required("session")?;
    Ok(approval(session, None).show())
}

/// Takes the answer to that.
pub(super) async fn approve(server: &Homeserver, form: &Query) -> Result<Response, MatrixError> {
    let session = form.required("session")?;
    let complaint = match form.text("action") {
        Some("allow") => match read(server, form).await? {
            Answered::Allowed(user_id) => match server.challenges.approve(session, Stage::OAuth, &user_id) {
                true => return Ok(page(html! { p { "Done. You can go back to your client." } })),
                false => {
                    "This has been too long, or it is another user's: begin again in your client.".to_owned()
                }
            },
            Answered::Mistaken(complaint) => complaint,
            Answered::Denied => return Ok(page(html! { p { "Nothing was changed." } })),
        },
        _ => return Ok(page(html! { p { "Nothing was changed." } })),
    };
    Ok(approval(session, Some(complaint)).show())
}

fn approval(session: &str, complaint: Option<String>) -> Question<'_> {
    Question {
        what: html! { p { "A client of yours wants to replace the keys that prove your identity to others." } },
        hidden: vec![("session", session)],
        creates: false,
        complaint,
    }
}

/// The fields of a form, which are written like a query.
pub(super) fn form(body: &Bytes) -> Query {
    Query::parse(&String::from_utf8_lossy(body))
}

/// A page that no other page may show inside of itself.
pub(super) fn page(content: Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Your account" }
            }
            body { (content) }
        }
    };
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
    let headers = [
        (http::header::CONTENT_SECURITY_POLICY, policy),
        (http::header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    ];
    (headers, Html(page.into_string())).into_response()
}
