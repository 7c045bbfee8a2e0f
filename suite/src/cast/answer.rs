//! What came back, and what a test may require of it.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use crate::{
    exchange::Exchange,
    scene::{Act, Scene},
    verdict::{Stop, Verdict},
};

/// An answered request, with the scene that remembers what is required of it.
#[derive(Clone, Debug)]
pub struct Answer {
    exchange: Arc<Exchange>,
    scene: Arc<Scene>,
}

static NULL: Value = Value::Null;

impl Answer {
    pub(crate) fn new(exchange: Arc<Exchange>, scene: Arc<Scene>) -> Self {
        Answer { exchange, scene }
    }

    /// The exchange behind it.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.exchange.response.status
    }

    /// The `errcode` of a standard error response.
    pub fn errcode(&self) -> Option<&str> {
        self.exchange.response.errcode()
    }

    /// A header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.exchange.response.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; `null` where it is not JSON.
    pub fn json(&self) -> &Value {
        self.exchange.response.json.as_ref().unwrap_or(&NULL)
    }

    /// What stands at a JSON pointer (RFC 6901); `null` where nothing does.
    pub fn at(&self, pointer: &str) -> &Value {
        self.json().pointer(pointer).unwrap_or(&NULL)
    }

    /// The bytes of the body.
    pub fn body(&self) -> &[u8] {
        &self.exchange.response.body
    }

    /// A success (2xx).
    pub fn must_succeed(self) -> Result<Answer, Stop> {
        if self.status().is_success() {
            self.scene.push(Act::Status(self.exchange.clone()));
            return Ok(self);
        }
        self.unmet("a success (2xx)")
    }

    /// This status.
    pub fn must_be(self, status: u16) -> Result<Answer, Stop> {
        if self.status().as_u16() == status && !self.is_unserved() {
            self.scene.push(Act::Status(self.exchange.clone()));
            return Ok(self);
        }
        self.unmet(format!("status {status}"))
    }

    /// A standard error response with this status and this code.
    pub fn must_refuse(self, status: u16, errcode: &str) -> Result<Answer, Stop> {
        self.must_refuse_with_one_of(&[(status, errcode)])
    }

    /// A standard error response with one of these statuses and codes, where the text leaves the choice.
    pub fn must_refuse_with_one_of(self, permitted: &[(u16, &str)]) -> Result<Answer, Stop> {
        let came = (self.status().as_u16(), self.errcode().unwrap_or_default());
        if permitted.contains(&came) {
            self.scene.push(Act::Refusal(self.exchange.clone()));
            return Ok(self);
        }
        let permitted: Vec<String> =
            permitted.iter().map(|(status, code)| format!("{status} {code}")).collect();
        self.unmet(permitted.join(" or "))
    }

    /// Remembers a refusal whose code fits what was wrong, where the text fixes none.
    pub fn fits(&self) {
        self.scene.push(Act::Fit(self.exchange.clone()));
    }

    /// Any client error (4xx) with this status, where the text names no code.
    pub fn must_refuse_with_status(self, status: u16) -> Result<Answer, Stop> {
        self.must_be(status)
    }

    /// Any client error (4xx), where the text names neither status nor code.
    pub fn must_be_refused(self) -> Result<Answer, Stop> {
        if self.status().is_client_error() && !self.is_unserved() {
            self.scene.push(Act::Status(self.exchange.clone()));
            return Ok(self);
        }
        self.unmet("a client error (4xx)")
    }

    /// This value at a JSON pointer.
    pub fn must_hold(&self, pointer: &str, value: impl Into<Value>) -> Verdict {
        let value = value.into();
        let found = self.json().pointer(pointer);
        self.must(found == Some(&value), format!("{value} at {pointer}"), || match found {
            Some(found) => format!("{found} there"),
            None => "nothing there".to_owned(),
        })
    }

    /// Anything at a JSON pointer; gives it.
    pub fn must_have(&self, pointer: &str) -> Result<&Value, Stop> {
        let found = self.json().pointer(pointer);
        self.must(found.is_some(), format!("a value at {pointer}"), || "nothing there".to_owned())?;
        Ok(found.unwrap_or(&NULL))
    }

    /// A string at a JSON pointer; gives it.
    pub fn must_have_text(&self, pointer: &str) -> Result<String, Stop> {
        let found = self.at(pointer);
        self.must(found.is_string(), format!("a string at {pointer}"), || found.to_string())?;
        Ok(found.as_str().unwrap_or_default().to_owned())
    }

    /// An array at a JSON pointer; gives it.
    pub fn must_have_list(&self, pointer: &str) -> Result<&Vec<Value>, Stop> {
        static EMPTY: Vec<Value> = Vec::new();
        let found = self.at(pointer);
        self.must(found.is_array(), format!("an array at {pointer}"), || found.to_string())?;
        Ok(found.as_array().unwrap_or(&EMPTY))
    }

    /// The ids of the events in an array at a JSON pointer, in order.
    pub fn event_ids(&self, pointer: &str) -> Vec<&str> {
        let events = self.at(pointer).as_array().map_or(&[][..], Vec::as_slice);
        events.iter().filter_map(|event| event["event_id"].as_str()).collect()
    }

    /// The content of a state event, where the body is an array of them (`GET …/state`); `null` without one.
    pub fn state_content(&self, kind: &str, state_key: &str) -> &Value {
        let mut events = self.json().as_array().map_or(&[][..], Vec::as_slice).iter();
        let found = events.find(|event| event["type"] == kind && event["state_key"] == state_key);
        found.map_or(&NULL, |event| &event["content"])
    }

    /// Nothing at a JSON pointer.
    pub fn must_lack(&self, pointer: &str) -> Verdict {
        let found = self.json().pointer(pointer);
        self.must(found.is_none(), format!("nothing at {pointer}"), || format!("{}", self.at(pointer)))
    }

    /// Nowhere in the body does this text stand.
    pub fn must_not_mention(&self, text: &str) -> Verdict {
        let body = String::from_utf8_lossy(self.body());
        self.must(!body.contains(text), format!("a body that does not mention {text:?}"), || {
            "one that does".to_owned()
        })
    }

    /// Whatever the words say of the content.
    pub fn must(&self, holds: bool, expected: impl Into<String>, got: impl FnOnce() -> String) -> Verdict {
        if holds {
            self.scene.push(Act::Content(self.exchange.clone()));
            return Ok(());
        }
        Err(Stop::unmet_by(&self.exchange, expected, got()))
    }

    /// Whether the server says that it does not know the operation: that refuses nothing of what was asked.
    fn is_unserved(&self) -> bool {
        let status = self.status().as_u16();
        self.exchange.operation.is_some()
            && self.errcode() == Some("M_UNRECOGNIZED")
            && matches!(status, 404 | 405)
    }

    fn unmet<T>(&self, expected: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::unmet_by(&self.exchange, expected, self.exchange.response.in_short()))
    }
}
