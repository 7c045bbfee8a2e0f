//! How a server parts from the oracle, in words.

use std::{fmt, str::FromStr};

use super::order::Order;

/// How a server parts from the oracle. Events have the names that they have in the drawing of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The order in which it was told the history.
    pub order: Order,
    /// The event at which it shows.
    pub event: String,
    /// What shows.
    pub shows: Shows,
}

/// What shows that a server parts from the oracle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// It has another state before the event.
    State {
        /// What stands in the oracle's state only, with type and state key.
        only_oracle: Vec<String>,
        /// What stands in the server's state only.
        only_server: Vec<String>,
    },
    /// The state that it has before the event lacks this, which the event replaces, and nothing else.
    Unreplaced(String),
    /// It does not have the event, which the rules accept; this is its last answer.
    Absent(String),
    /// It shows clients the event, which the rules reject or soft-fail, as this says with its citation.
    Shown(String),
    /// It does not show clients the event, which the rules accept; this is its answer.
    Hidden(String),
}

/// A way of parting from the oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `state`: another state before an event.
    State,
    /// `replaced-state`: the state before a state event lacks nothing but what that event replaces.
    ReplacedState,
    /// `absent`: an event that the rules accept is not there.
    Absent,
    /// `shown`: an event that the rules reject is shown to clients.
    Shown,
    /// `hidden`: an event that the rules accept is not shown to clients.
    Hidden,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] = [Kind::State, Kind::ReplacedState, Kind::Absent, Kind::Shown, Kind::Hidden];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::State => "state",
            Kind::ReplacedState => "replaced-state",
            Kind::Absent => "absent",
            Kind::Shown => "shown",
            Kind::Hidden => "hidden",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Kind::ALL.map(Kind::name).join(", ");
        let named = Kind::ALL.into_iter().find(|kind| kind.name() == text);
        named.ok_or_else(|| format!("expected one of {names}"))
    }
}

impl Parting {
    /// In which way.
    pub fn kind(&self) -> Kind {
        match self.shows {
            Shows::State { .. } => Kind::State,
            Shows::Unreplaced(_) => Kind::ReplacedState,
            Shows::Absent(_) => Kind::Absent,
            Shows::Shown(_) => Kind::Shown,
            Shows::Hidden(_) => Kind::Hidden,
        }
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parting { order, event, shows } = self;
        write!(formatter, "{order}, ")?;
        match shows {
            Shows::State { only_oracle, only_server } => {
                let list = |events: &[String]| match events {
                    [] => "nothing".to_owned(),
                    events => events.join(", "),
                };
                write!(
                    formatter,
                    "the server has another state before {event}: it lacks {}, and has {} \
                     (server-server-api/#room-state-resolution)",
                    list(only_oracle),
                    list(only_server)
                )
            }
            Shows::Unreplaced(replaced) => write!(
                formatter,
                "the server's state before {event} lacks {replaced}, which {event} replaces \
                 (server-server-api/#get_matrixfederationv1state_idsroomid)"
            ),
            Shows::Absent(answer) => write!(
                formatter,
                "the server does not accept {event}, as the rules do; asked for the state before it, it says {answer} \
                 (server-server-api/#checks-performed-on-receipt-of-a-pdu)"
            ),
            Shows::Shown(rule) => {
                write!(formatter, "the server shows clients {event}, {rule}")
            }
            Shows::Hidden(answer) => write!(
                formatter,
                "the server does not show clients {event}, which is accepted: it says {answer} \
                 (client-server-api/#get_matrixclientv3roomsroomideventeventid)"
            ),
        }
    }
}
