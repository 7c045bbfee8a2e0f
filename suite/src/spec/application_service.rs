//! The Application Service API: one file for each of its chapters.

pub(crate) mod client_server_extensions;
pub(crate) mod legacy_routes;
pub(crate) mod pinging;
pub(crate) mod published_room_directories;
pub(crate) mod pushing_events;
pub(crate) mod querying;
pub(crate) mod third_party_networks;
