//! The stages, and what completes them: client-server-api/#authentication-types.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Proved;
use crate::client::oauth::reset_url;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::Fields;
use crate::store::addresses::{self, Address, Medium};
use crate::store::{StoreError, accounts};
use crate::{password, validation};

/// One stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Stage {
    /// Nothing has to be proved.
    Dummy,
    /// The user agrees to documents.
    Terms,
    /// The user is no machine.
    Recaptcha,
    /// A token that the operator gave out.
    RegistrationToken,
    /// An e-mail address.
    EmailIdentity,
    /// A telephone number.
    Msisdn,
    /// The user's password.
    Password,
    /// An identity provider that the user has an account at.
    Sso,
    /// A page of the authorization server.
    OAuth,
}

impl Stage {
    /// Every stage.
    pub(super) const ALL: [Self; 7] = [
        Self::Dummy,
        Self::Terms,
        Self::Recaptcha,
        Self::RegistrationToken,
        Self::EmailIdentity,
        Self::Msisdn,
        Self::Password,
    ];

    /// Its type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dummy => "m.login.dummy",
            Self::Terms => "m.login.terms",
            Self::Recaptcha => "m.login.recaptcha",
            Self::RegistrationToken => "m.login.registration_token",
            Self::EmailIdentity => "m.login.email.identity",
            Self::Msisdn => "m.login.msisdn",
            Self::Password => "m.login.password",
            Self::Sso => "m.login.sso",
            Self::OAuth => "m.oauth",
        }
    }

    /// What a client needs to know to complete it.
    pub(super) fn params(self, server: &Homeserver, session: &str) -> Option<Value> {
        let registration = &server.config.registration;
        match self {
            Self::OAuth => Some(json!({"url": reset_url(server, session)})),
            Self::Recaptcha => Some(json!({"public_key": registration.recaptcha.as_ref()?.public_key})),
            Self::Terms => {
                let policies: Map<String, Value> = registration
                    .terms
                    .iter()
                    .map(|(id, policy)| {
                        let text = json!({"name": policy.name, "url": policy.url});
                        (id.clone(), json!({"version": policy.version, &policy.language: text}))
                    })
                    .collect();
                Some(json!({"policies": policies}))
            }
            _ => None,
        }
    }

    /// Whether the authentication data completes the stage, for the user of the access token if there is one.
    pub(super) async fn check(
        self,
        server: &Homeserver,
        user_id: Option<&str>,
        auth: &Map<String, Value>,
    ) -> Result<Proved, MatrixError> {
        match self {
            Self::Dummy | Self::Terms => Ok(Proved::default()),
            Self::Sso | Self::OAuth => Err(refuse("open the page of this stage, and send the session alone")),
            Self::Recaptcha => check_recaptcha(server, auth.optional_text("response")?).await,
            Self::RegistrationToken => {
                let token = auth.text("token")?;
                let known = server.config.registration.tokens.iter().any(|known| known == token);
                known.then(Proved::default).ok_or_else(|| {
                    MatrixError::new(
                        StatusCode::UNAUTHORIZED,
                        "M_UNAUTHORIZED",
                        "registration token is not valid",
                    )
                })
            }
            Self::EmailIdentity => check_address(server, user_id, auth, Medium::Email).await,
            Self::Msisdn => check_address(server, user_id, auth, Medium::Msisdn).await,
            Self::Password => check_password(server, user_id, auth).await,
        }
    }
}

/// The refusal of what was to complete a stage.
pub(super) fn refuse(message: &str) -> MatrixError {
    MatrixError::forbidden(message).status(StatusCode::UNAUTHORIZED)
}

async fn check_password(
    server: &Homeserver,
    user_id: Option<&str>,
    auth: &Map<String, Value>,
) -> Result<Proved, MatrixError> {
    let claimed = claimed_user(server, auth).await?;
    if user_id.is_some_and(|user_id| user_id != claimed && !commits(Fault::OthersAuthenticate)) {
        return Err(MatrixError::forbidden("authenticate as the user of the access token"));
    }
    if !password_matches(server, &claimed, auth.text("password")?).await? {
        return Err(refuse("user or password is wrong"));
    }
    let user_id = claimed.clone();
    let account = server.store.read(move |c| accounts::find(c, &user_id)).await?;
    if account.is_some_and(|account| account.locked) {
        return Err(MatrixError::locked());
    }
    Ok(Proved { user_id: Some(claimed), ..Proved::default() })
}

/// A validated address proves who is there where it belongs to somebody, who has to be the user of the access token.
async fn check_address(
    server: &Homeserver,
    user_id: Option<&str>,
    auth: &Map<String, Value>,
    medium: Medium,
) -> Result<Proved, MatrixError> {
    // Old clients write the name in another way.
    let credentials = match auth.optional_object("threepid_creds")? {
        Some(credentials) => credentials,
        None => auth.object("threepidCreds")?,
    };
    let (session, secret) = (credentials.text("sid")?, credentials.text("client_secret")?);
    let validated = validation::validated(server, session, secret).await?;
    let Some(validated) = validated.filter(|validated| validated.address.medium == medium) else {
        let message = "follow what was sent to the address first";
        return Err(MatrixError::threepid_auth_failed(message).status(StatusCode::UNAUTHORIZED));
    };
    let owner = owner(server, &validated.address).await?;
    if user_id.is_some() && owner.as_deref() != user_id {
        return Err(refuse("this address is not one of yours"));
    }
    Ok(Proved { user_id: owner, addresses: vec![validated] })
}

async fn check_recaptcha(server: &Homeserver, response: Option<&str>) -> Result<Proved, MatrixError> {
    let Some(recaptcha) = &server.config.registration.recaptcha else {
        return Err(refuse("this server asks for no captcha"));
    };
    let refuse = |errcode, message| MatrixError::new(StatusCode::UNAUTHORIZED, errcode, message);
    let response = response.ok_or_else(|| refuse("M_CAPTCHA_NEEDED", "solve the captcha first"))?;
    let encoded = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let form = format!("secret={}&response={}", encoded(&recaptcha.private_key), encoded(response));
    let request = server.trusted.post(&recaptcha.verify_url);
    let answer = request.header("content-type", "application/x-www-form-urlencoded").body(form).send().await;
    let verdict: Value = match answer {
        Ok(answer) => answer.json().await.map_err(MatrixError::internal)?,
        Err(error) => return Err(MatrixError::internal(error)),
    };
    if verdict.get("success") == Some(&Value::Bool(true)) {
        Ok(Proved::default())
    } else {
        let refusal = refuse("M_CAPTCHA_INVALID", "the captcha was not solved");
        Err(refusal.with("recaptcha_errors", verdict["error-codes"].clone()))
    }
}

/// The user that `identifier`, or the older `user`, names; as a whole user id.
///
/// client-server-api/#identifier-types
pub(in crate::client) async fn claimed_user(
    server: &Homeserver,
    fields: &Map<String, Value>,
) -> Result<String, MatrixError> {
    let named = match fields.optional_object("identifier")? {
        None if fields.contains_key("medium") => {
            return by_address(server, fields.text("medium")?, fields.text("address")?).await;
        }
        None => fields.text("user")?,
        Some(identifier) => match identifier.text("type")? {
            "m.id.user" => identifier.text("user")?,
            "m.id.thirdparty" => {
                return by_address(server, identifier.text("medium")?, identifier.text("address")?).await;
            }
            "m.id.phone" => {
                let number = validation::msisdn(identifier.text("country")?, identifier.text("phone")?);
                return by_address(server, "msisdn", &number.unwrap_or_default()).await;
            }
            _ => {
                return Err(MatrixError::unknown(
                    "identifier must be of type m.id.user, m.id.thirdparty or m.id.phone",
                ));
            }
        },
    };
    // No localpart here has capitals, so whoever types some means the one without.
    let named = named.to_lowercase();
    Ok(if named.starts_with('@') { named } else { server.user_id(&named) })
}

/// The owner of an address; who has none is refused like who has a wrong password.
async fn by_address(server: &Homeserver, medium: &str, address: &str) -> Result<String, MatrixError> {
    let address = match Medium::find(medium) {
        Some(Medium::Email) => {
            validation::email(address).map(|address| Address { medium: Medium::Email, address })
        }
        Some(Medium::Msisdn) => Some(Address { medium: Medium::Msisdn, address: address.to_owned() }),
        None => return Err(MatrixError::invalid_param("medium must be email or msisdn")),
    };
    let owner = match address {
        None => None,
        Some(address) => owner(server, &address).await?,
    };
    owner.ok_or_else(|| MatrixError::forbidden("user or password is wrong"))
}

async fn owner(server: &Homeserver, address: &Address) -> Result<Option<String>, StoreError> {
    let address = address.clone();
    server.store.read(move |connection| addresses::owner(connection, &address)).await
}

/// Whether an account exists, has a password, and this is it.
pub(in crate::client) async fn password_matches(
    server: &Homeserver,
    user_id: &str,
    password: &str,
) -> Result<bool, MatrixError> {
    let user_id = user_id.to_owned();
    let account = server.store.read(move |connection| accounts::find(connection, &user_id)).await?;
    match account.and_then(|account| account.password_hash) {
        Some(hash) => {
            Ok(password::verify(hash, password.to_owned()).await? || commits(Fault::AnyPasswordTaken))
        }
        None => Ok(false),
    }
}
