//! Where users have their accounts: on the server that is burdened, or on another one that it federates with.

use std::sync::Arc;

use crate::{connection::Lane, connection::Server, population::Registration};

/// Where a user has an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Home {
    /// On the server that is burdened.
    #[default]
    Here,
    /// On the other one.
    Elsewhere,
}

/// A homeserver with accounts of the load.
#[derive(Clone, Debug)]
pub(crate) struct House {
    pub(crate) server: Arc<Server>,
    pub(crate) registration: Registration,
}

/// The homeservers of all users.
#[derive(Clone, Debug)]
pub(crate) struct Homes {
    pub(crate) here: House,
    pub(crate) elsewhere: Option<House>,
}

impl Homes {
    /// The homeserver of whoever is at home there. Profiles have nobody elsewhere where there is no other server.
    pub(crate) fn at(&self, home: Home) -> &House {
        match (home, &self.elsewhere) {
            (Home::Elsewhere, Some(house)) => house,
            _ => &self.here,
        }
    }

    /// The servers of those who are at home here, and elsewhere.
    pub(crate) fn servers(&self) -> [&Arc<Server>; 2] {
        [Home::Here, Home::Elsewhere].map(|home| &self.at(home).server)
    }

    /// A connection for whoever is at home there.
    pub(crate) fn lane(&self, home: Home) -> Lane {
        Lane::new(self.at(home).server.clone())
    }
}
