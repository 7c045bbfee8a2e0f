//! Who a test puts on stage.

mod answer;
mod browser;
mod call;
mod encryption;
mod homeserver;
pub mod neighbour;
pub(crate) mod neighbourhood;
pub mod remote;
mod rooms;
mod sessions;
mod sync;
mod user;

pub use answer::Answer;
pub use browser::{Arrival, Browser};
pub use call::{Call, Seal, encoded};
pub use encryption::{CrossSigningKeys, Key};
pub use homeserver::Homeserver;
pub use neighbour::{ApplicationService, IdentityServer, Mailbox, Puppet, PushGateway, Telephone, Website};
pub use remote::Remote;
pub use sync::Sync;
pub use user::User;
