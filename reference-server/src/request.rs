//! What a request carries, read with the error codes that the specification has for what is wrong
//! with it.

mod body;
mod path;
mod query;
mod remainder;
mod requester;
mod suspension;

pub(crate) use self::body::{Body, BodyOrNothing, Fields};
pub(crate) use self::path::Path;
pub(crate) use self::query::Query;
pub(crate) use self::remainder::read_remainder;
pub(crate) use self::requester::{
    Administrator, EvenLocked, GuestOrUser, MaybeRequester, MaybeService, Requester, Service, access_token,
};
