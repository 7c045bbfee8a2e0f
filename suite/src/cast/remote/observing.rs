//! What a test waits for at a remote: requests of the server under test.

use serde_json::Value;
use tokio::time::Instant;

use super::{Asked, Occurrence, Pdu, Question, Remote, Room};
use crate::{
    cast::User,
    scene::Act,
    verdict::{Stop, Verdict},
};

impl Remote {
    /// Waits until the server has asked something of which `find` makes something; `what` completes "a request that
    /// shows …".
    pub async fn sees<T>(&self, what: &str, find: impl Fn(&Asked) -> Option<T>) -> Result<T, Stop> {
        let deadline = Instant::now() + self.hs.patience();
        let mut news = self.house.news();
        let mut passed = 0;
        loop {
            let memory = self.house.memory();
            for occurrence in &memory[passed..] {
                if let Some(found) = find(&occurrence.asked) {
                    self.house.scene().push(Act::Content(occurrence.exchange.clone()));
                    return Ok(found);
                }
            }
            passed = memory.len();
            let waited = tokio::time::timeout_at(deadline, news.wait_for(|count| *count > passed)).await;
            if waited.is_err() {
                return Err(self.unseen(what, &memory));
            }
        }
    }

    /// Waits until the server has sent an event like this.
    pub async fn sees_event(&self, what: &str, like: impl Fn(&Value) -> bool) -> Result<Value, Stop> {
        self.sees(what, |asked| asked.pdus().iter().find(|pdu| like(pdu)).cloned()).await
    }

    /// Waits until the server has sent an ephemeral data unit of this type whose content is like this.
    pub async fn sees_edu(&self, kind: &str, like: impl Fn(&Value) -> bool) -> Result<Value, Stop> {
        let edu = |asked: &Asked| {
            let mut edus = asked.edus().iter().filter(|edu| edu["edu_type"] == kind);
            edus.find(|edu| like(&edu["content"])).map(|edu| edu["content"].clone())
        };
        self.sees(kind, edu).await
    }

    /// Waits until the server has asked a question.
    pub async fn is_asked(&self, question: Question) -> Result<Asked, Stop> {
        let asked = |asked: &Asked| (asked.question == Some(question)).then(|| asked.clone());
        self.sees(&format!("{question:?}"), asked).await
    }

    /// What it was asked so far of one question.
    pub fn asked(&self, question: Question) -> Vec<Asked> {
        let memory = self.house.memory().into_iter().map(|occurrence| occurrence.asked);
        memory.filter(|asked| asked.question == Some(question)).collect()
    }

    /// What it was asked so far that is no operation of the specification, at a path that begins like this.
    pub fn asked_elsewhere(&self, path: &str) -> Vec<Asked> {
        let memory = self.house.memory().into_iter().map(|occurrence| occurrence.asked);
        memory.filter(|asked| asked.question.is_none() && asked.target.starts_with(path)).collect()
    }

    /// Requires that nothing it was asked so far is like this; the test has made sure that it would have been by now.
    pub fn must_not_have_seen(&self, what: &str, like: impl Fn(&Asked) -> bool) -> Verdict {
        match self.house.memory().iter().find(|occurrence| like(&occurrence.asked)) {
            None => Ok(()),
            Some(occurrence) => {
                Err(Stop::unmet_by(&occurrence.exchange, format!("no {what}"), "one was sent"))
            }
        }
    }

    fn unseen(&self, what: &str, memory: &[Occurrence]) -> Stop {
        let within = self.hs.patience().as_secs();
        let told = |occurrence: &Occurrence| {
            let path = occurrence.asked.target.split('?').next().unwrap_or_default().to_owned();
            format!("{} {path}", occurrence.exchange.request.method)
        };
        let got = match memory {
            [] => "it was asked nothing".to_owned(),
            memory => {
                let latest: Vec<String> = memory.iter().rev().take(8).rev().map(told).collect();
                format!("it was asked {} times, at last {}", memory.len(), latest.join(", "))
            }
        };
        Stop::unmet(format!("within {within} s, a request to {} that shows {what}", self.name()), got)
    }
}

impl User {
    /// Requires that an event of a remote is shown to the user neither in a `/sync`, up to another event that the remote
    /// sent later, nor when it is asked for.
    pub async fn must_not_be_shown(&self, room: &Room, hidden: &Pdu, later: &Pdu) -> Verdict {
        let either = |sync: &crate::cast::Sync| {
            sync.has_event(room.id(), hidden.id()) || sync.has_event(room.id(), later.id())
        };
        let sync = self.sees(later.id(), either).await?;
        let shown = sync.has_event(room.id(), hidden.id());
        sync.answer().must(!shown, format!("no /sync with {}", hidden.id()), || "one with it".to_owned())?;
        self.event(room.id(), hidden.id()).must_be(404).await.map(drop)
    }
}
