//! The Server-Server API: one file for each chapter of the specification.

use protocol::RoomVersion;

pub(crate) mod joining_rooms;
pub(crate) mod server_implementation;

/// Every room version; tests stop where the server does not offer it.
fn room_versions() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter()
}
