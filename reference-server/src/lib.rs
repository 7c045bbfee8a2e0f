//! The reference homeserver of Determinant: small enough to read in a week-end, strict enough to
//! measure others by.
//!
//! [`start`] takes a [`Config`] and gives a [`Running`] server. A request comes in through
//! [`client`] or [`federation`], which hold one file for each module or chapter of the specification,
//! under its name; events go through [`rooms`], which judges without I/O; what has to last goes to
//! [`store`]; and [`stream`] tells those who wait.

mod application_service;
mod client;
mod clock;
mod config;
mod delivery;
mod device_lists;
mod error;
mod federation;
mod filter;
mod homeserver;
mod identity;
mod media;
pub mod misbehave;
mod outgoing;
mod password;
mod presence;
mod preview;
mod property_path;
mod push_rules;
mod pusher;
mod rate_limits;
mod request;
mod server;
mod session;
mod store;
mod stream;
mod threads;
mod timeline;
mod token;
mod typing;
mod unread;
mod validation;

pub use ::rooms;

pub use self::config::{
    AccountLimits, Authentication, Client, Config, ConfigError, Contact, Durability, Federation,
    IdentityProvider, Mail, Media, Outgoing, Passwords, Policy, PolicyServer, Profiles, Rate, RateLimits,
    Recaptcha, Registration, RegistrationMode, ResourceLimits, ServerNotices, Support, TextMessages, Tokens,
    Turn,
};
pub use self::server::{Running, StartError, start};
