//! Sessions: logging in, getting everything for the first time, logging out.

use http::HeaderValue;
use serde_json::json;

use super::{Turn, now, reading::is_complete};
use crate::{
    connection::Problem,
    population::{Hand, Session, log_in, register},
    recorder::Moments,
    request,
};

/// What Element and others ask for: members only where they have said something.
const FILTER: &str = r#"{"room":{"state":{"lazy_load_members":true}}}"#;

impl Turn<'_> {
    pub(super) async fn login(&mut self) {
        let login = log_in(&self.user().name, &self.user().password, None);
        let answer = self.measure(login).await;
        if let Some(bearer) = answer.and_then(|answer| session(&answer)) {
            self.log_out(&bearer).await;
        }
    }

    /// On a connection of its own, as somebody has who was not there before.
    pub(super) async fn sign_up(&mut self) {
        let traffic = self.traffic;
        let home = self.user().home;
        let mut hand = Hand::new(traffic.homes.servers(), traffic.within);
        let password = format!("{:016x}", rand::random::<u64>());
        self.recorder().started(self.deed.measured, self.moments.due, 1);
        let name = format!("load-{}", self.mark());
        let came = register(&mut hand.at(home), &traffic.homes.at(home).registration, &name, &password).await;
        self.recorder().ended(self.deed.measured, self.moments, came.as_ref().map(|_| ()));
        if let Some(bearer) = came.ok().and_then(|session| request::bearer(&session.access_token)) {
            self.log_out(&bearer).await;
        }
    }

    /// The login belongs to the way in, not to the sync: it has a series of its own, and the sync is due when the arrival
    /// was, put off by what the login took.
    pub(super) async fn initial_sync(&mut self) {
        let recorder = self.recorder().clone();
        let begun = self.moments;
        let login = log_in(&self.user().name, &self.user().password, None);
        let operation = recorder.operation("login");
        let answer = self.measure_as(operation, begun, login).await;
        let Some(bearer) = answer.and_then(|answer| session(&answer)) else { return };
        let moments = Moments { due: begun.due + begun.begun.elapsed(), begun: now().begun };
        recorder.started(self.deed.measured, moments.due, 1);
        let path = format!("/_matrix/client/v3/sync?timeout=0&filter={}", request::segment(FILTER));
        let came = self.lane.success(request::get(&path, Some(&bearer)), self.traffic.within).await;
        let rooms = self.user().rooms.len();
        let came = came.and_then(|body| {
            // The moment of the answer counts, not of having looked through it.
            let ended = now().begun;
            recorder.count("bytes of initial sync received", body.len() as u64);
            is_complete(&body, rooms).map(|()| ended)
        });
        match &came {
            Ok(ended) => recorder.ended_at(self.deed.measured, moments, *ended),
            Err(problem) => recorder.ended(self.deed.measured, moments, Err(problem)),
        }
        self.log_out(&bearer).await;
    }

    async fn log_out(&mut self, bearer: &HeaderValue) {
        let logout = request::post("/_matrix/client/v3/logout", Some(bearer), &json!({}));
        self.follow("logout", logout).await;
    }
}

fn session(answer: &[u8]) -> Option<HeaderValue> {
    let session: Session =
        serde_json::from_slice(answer).map_err(|error| Problem::Malformed(error.to_string())).ok()?;
    request::bearer(&session.access_token)
}
