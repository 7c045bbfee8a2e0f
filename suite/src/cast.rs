//! Who a test puts on stage.

mod answer;
mod call;
mod encryption;
mod homeserver;
mod rooms;
mod sessions;
mod sync;
mod user;

pub use answer::Answer;
pub use call::{Call, encoded};
pub use encryption::{CrossSigningKeys, Key};
pub use homeserver::Homeserver;
pub use sync::Sync;
pub use user::User;
