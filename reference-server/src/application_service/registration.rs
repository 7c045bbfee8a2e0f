//! Registration files, in YAML as the specification has them, or in TOML by the same names.

use std::path::Path;

use regex::Regex;
use serde::{Deserialize, Deserializer};

use super::Kind;

/// What an application service and the server know of each other.
#[derive(Debug, Deserialize)]
pub(crate) struct Registration {
    /// Its name among those of the server.
    pub(crate) id: String,
    /// Where it is; nothing is sent to one that is nowhere.
    pub(crate) url: Option<String>,
    /// What it proves itself with.
    pub(crate) as_token: String,
    /// What the server proves itself with.
    pub(crate) hs_token: String,
    /// The localpart of its own user.
    pub(crate) sender_localpart: String,
    /// Whether it wants to hear of what passes.
    #[serde(default)]
    pub(crate) receive_ephemeral: bool,
    /// Whether the users that it poses as are held to the rate limits.
    // Choice: they are, unless the registration says otherwise.
    #[serde(default = "Registration::yes")]
    pub(crate) rate_limited: bool,
    /// The networks that it leads to.
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) protocols: Vec<String>,
    namespaces: Namespaces,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Namespaces {
    #[serde(deserialize_with = "nullable")]
    users: Vec<Namespace>,
    #[serde(deserialize_with = "nullable")]
    aliases: Vec<Namespace>,
    #[serde(deserialize_with = "nullable")]
    rooms: Vec<Namespace>,
}

/// A set of ids.
#[derive(Debug, Deserialize)]
pub(crate) struct Namespace {
    /// Whether nobody else may have them.
    pub(crate) exclusive: bool,
    #[serde(deserialize_with = "expression")]
    regex: Regex,
}

impl Namespace {
    /// Whether an id is in it. An expression describes the beginning of the id, as registrations have it that leave out
    /// the server name.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.regex.is_match(id)
    }
}

impl Registration {
    /// Reads a file; the error says what is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        let mut registration: Self = if is_toml {
            toml::from_str(&text).map_err(|error| error.to_string())?
        } else {
            serde_norway::from_str(&text).map_err(|error| error.to_string())?
        };
        if let Some(url) = &mut registration.url {
            reqwest::Url::parse(url).map_err(|error| format!("url: {error}"))?;
            url.truncate(url.trim_end_matches('/').len());
        }
        Ok(registration)
    }

    fn yes() -> bool {
        true
    }

    /// The namespaces of ids of a kind.
    pub(super) fn namespaces(&self, kind: Kind) -> &[Namespace] {
        match kind {
            Kind::Users => &self.namespaces.users,
            Kind::Aliases => &self.namespaces.aliases,
        }
    }

    /// Whether a room is in one of the namespaces of rooms.
    pub(super) fn has_room(&self, room_id: &str) -> bool {
        self.namespaces.rooms.iter().any(|namespace| namespace.contains(room_id))
    }

    /// Whether there are namespaces of aliases.
    pub(super) fn has_aliases(&self) -> bool {
        !self.namespaces.aliases.is_empty()
    }
}

fn expression<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    let text = String::deserialize(deserializer)?;
    Regex::new(&format!("^(?:{text})")).map_err(serde::de::Error::custom)
}

fn nullable<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Kind, Registration};

    fn read(suffix: &str, text: &str) -> Result<Registration, String> {
        let mut file =
            tempfile::Builder::new().suffix(suffix).tempfile().map_err(|error| error.to_string())?;
        file.write_all(text.as_bytes()).map_err(|error| error.to_string())?;
        Registration::read(file.path())
    }

    const YAML: &str = "{id: IRC, url: 'http://127.0.0.1:1234/', as_token: a, hs_token: h, sender_localpart: bot, \
         rate_limited: false, namespaces: {users: [{exclusive: true, regex: '@irc_.*'}], rooms: null}}";

    #[test]
    fn the_form_of_the_specification_is_read() {
        let registration = read(".yaml", YAML).expect("a registration");
        assert_eq!(registration.url.as_deref(), Some("http://127.0.0.1:1234"));
        let users = registration.namespaces(Kind::Users);
        assert!(users[0].exclusive && users[0].contains("@irc_alice:example.org"));
        assert!(!users[0].contains("@alice_@irc_:example.org"));
        assert!(registration.namespaces(Kind::Aliases).is_empty() && !registration.receive_ephemeral);
    }

    #[test]
    fn toml_has_the_same_names() {
        let text = "id = 'IRC'\nas_token = 'a'\nhs_token = 'h'\nsender_localpart = 'bot'\nprotocols = ['irc']\n\
             [[namespaces.aliases]]\nexclusive = false\nregex = '#irc_.*'\n";
        let registration = read(".toml", text).expect("a registration");
        assert_eq!((registration.url.as_deref(), registration.protocols.len()), (None, 1));
        assert!(registration.has_aliases());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let error = read(".yaml", &YAML.replace("@irc_.*", "@(irc")).err().unwrap_or_default();
        assert!(error.contains("unclosed group"), "{error}");
        let error = read(".yaml", &YAML.replace("hs_token: h,", "")).err().unwrap_or_default();
        assert!(error.contains("hs_token"), "{error}");
    }
}
