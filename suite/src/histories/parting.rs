//! How a server parts from the oracle, in words.

use std::fmt;

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
    /// It does not have the event, which the rules accept; this is its last answer.
    Absent(String),
    /// It shows clients the event, which the rules reject by this check and rule.
    Shown(String),
    /// It does not show clients the event, which the rules accept; this is its answer.
    Hidden(String),
}

impl Parting {
    /// What tells one way of parting from another.
    pub(super) fn kind(&self) -> (Order, std::mem::Discriminant<Shows>) {
        (self.order, std::mem::discriminant(&self.shows))
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
            Shows::Absent(answer) => write!(
                formatter,
                "the server does not accept {event}, as the rules do; asked for the state before it, it says {answer} \
                 (server-server-api/#checks-performed-on-receipt-of-a-pdu)"
            ),
            Shows::Shown(rule) => {
                write!(formatter, "the server shows clients {event}, {rule} (server-server-api/#rejection)")
            }
            Shows::Hidden(answer) => write!(
                formatter,
                "the server does not show clients {event}, which is accepted: it says {answer} \
                 (client-server-api/#get_matrixclientv3roomsroomideventeventid)"
            ),
        }
    }
}
