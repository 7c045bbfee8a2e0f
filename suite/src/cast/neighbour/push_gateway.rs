//! A push gateway: `push-gateway-api/`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fixtures::catalogue::Api;
use serde_json::{Value, json};

use super::{Asked, Neighbour};
use crate::{
    cast::{Homeserver, remote::Reply},
    verdict::Stop,
};

/// A push gateway with a certificate of the run's authority.
#[derive(Clone, Debug)]
pub struct PushGateway {
    hs: Homeserver,
    neighbour: Arc<Neighbour>,
    port: u16,
}

impl Homeserver {
    /// A push gateway that takes every notification.
    pub fn push_gateway(&self) -> Result<PushGateway, Stop> {
        let (neighbour, port) = self.trusted_neighbour("push gateway", Api::PushGateway, answer)?;
        Ok(PushGateway { hs: self.clone(), neighbour, port })
    }
}

/// What it answers when nothing else was agreed: it takes every notification.
pub(crate) fn answer(asked: &Asked) -> Option<Reply> {
    asked.is("notify").then(|| Reply::json(json!({"rejected": []})))
}

impl PushGateway {
    /// Where pushers send to.
    pub fn url(&self) -> String {
        {
            let name = self.hs.target().whereabouts.name();
            format!("https://{name}:{}/_matrix/push/v1/notify", self.port)
        }
    }

    /// Rejects this push key from now on.
    pub fn rejects(&self, pushkey: &str) {
        let pushkey = pushkey.to_owned();
        let is_for =
            move |asked: &Asked| asked.json["notification"]["devices"][0]["pushkey"] == pushkey.as_str();
        self.neighbour.answers(move |asked| {
            is_for(asked).then(|| {
                Reply::json(json!({"rejected": [asked.json["notification"]["devices"][0]["pushkey"]]}))
            })
        });
    }

    /// Fails at the next notifications, so many times.
    pub fn fails(&self, times: u32) {
        let failures = AtomicU32::new(times);
        self.neighbour.answers(move |_| {
            let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            fails.is_ok().then(|| Reply::error(502, "M_UNKNOWN"))
        });
    }

    /// Waits for the notification of an event; gives it.
    pub async fn sees(&self, event_id: &str) -> Result<Value, Stop> {
        let find = |asked: &Asked| {
            let notification = &asked.json["notification"];
            (notification["event_id"] == event_id).then(|| notification.clone())
        };
        self.neighbour.sees(&self.hs, event_id, find).await
    }

    /// Waits until an event was told so often.
    pub async fn sees_times(&self, event_id: &str, times: usize) -> Result<(), Stop> {
        let what = format!("{event_id} for the {times}th time");
        let told = |asked: &Asked| {
            let is_it = asked.json["notification"]["event_id"] == event_id;
            (is_it && self.times(event_id) >= times).then_some(())
        };
        self.neighbour.sees(&self.hs, &what, told).await
    }

    /// How often an event was told.
    pub fn times(&self, event_id: &str) -> usize {
        self.told(event_id).count()
    }

    /// How long it was left alone between the notifications of an event.
    pub fn pauses(&self, event_id: &str) -> Vec<Duration> {
        let moments: Vec<_> = self.told(event_id).map(|asked| asked.when).collect();
        moments.windows(2).map(|two| two[1] - two[0]).collect()
    }

    /// All notifications so far.
    pub fn notifications(&self) -> Vec<Value> {
        self.neighbour.memory().into_iter().map(|asked| asked.json["notification"].clone()).collect()
    }

    fn told<'a>(&self, event_id: &'a str) -> impl Iterator<Item = Asked> + use<'a> {
        let is_it = move |asked: &Asked| asked.json["notification"]["event_id"] == event_id;
        self.neighbour.memory().into_iter().filter(is_it)
    }
}
