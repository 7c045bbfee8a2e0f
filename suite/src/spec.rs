//! Only tests. Folders and files follow the specification's table of contents.

pub(crate) mod application_service;
pub(crate) mod client;
pub(crate) mod contract;
pub(crate) mod exchange;
pub(crate) mod federation;
