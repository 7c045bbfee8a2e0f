//! The Client-Server API: one file for each module of the specification, and one for each core chapter.

pub(crate) mod typing_notifications;
