//! The Client-Server API: one file for each module of the specification, and one for each core chapter.

pub(crate) mod banning_users;
pub(crate) mod joining_rooms;
pub(crate) mod knocking_on_rooms;
pub(crate) mod leaving_rooms;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod registration;
pub(crate) mod restricted_rooms;
pub(crate) mod room_creation;
pub(crate) mod room_members;
pub(crate) mod room_state;
pub(crate) mod typing_notifications;
pub(crate) mod user_interactive_authentication;
