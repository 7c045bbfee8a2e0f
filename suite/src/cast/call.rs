//! A request in the making. Awaiting it sends it and requires a success; other endings say what is required instead.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::answer::Answer;
use crate::{exchange::Request, scene::Scene, verdict::Stop, wire::Wire};

/// Puts percent-encoded values into a path: `path!("/_matrix/client/v3/rooms/{}/state", room)`.
#[macro_export]
macro_rules! path {
    ($template:literal $(, $value:expr)* $(,)?) => {
        ::std::format!($template $(, $crate::cast::encoded(&$value))*)
    };
}

/// Percent-encodes one path segment or query value.
pub fn encoded(value: impl AsRef<str>) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(value.as_ref(), KEPT).to_string()
}

/// A request that has not been sent. `T` is what a success means to the caller.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<T = Answer> {
    wire: Arc<Wire>,
    scene: Arc<Scene>,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Option<Bytes>,
    seal: Option<Seal>,
    /// A refusal for asking too often is the answer, and not waited out.
    impatient: bool,
    read: Read<T>,
}

/// Makes the `Authorization` header of a finished request.
pub type Seal = Box<dyn FnOnce(&Request) -> Result<String, Stop> + Send>;

type Read<T> = Box<dyn FnOnce(Answer) -> Result<T, Stop> + Send>;

impl Call<Answer> {
    pub(crate) fn new(wire: Arc<Wire>, scene: Arc<Scene>, method: Method, target: String) -> Self {
        let (headers, body) = (HeaderMap::new(), None);
        Call { wire, scene, method, target, headers, body, seal: None, impatient: false, read: Box::new(Ok) }
    }
}

impl<T> Call<T> {
    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        self.target = format!("{}{separator}{}={}", self.target, encoded(name), encoded(value));
        self
    }

    /// Sets a header, replacing what stood there.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Removes a header.
    pub fn without_header(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sends JSON.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").bytes(body.to_string())
    }

    /// Sends these bytes, whatever they are.
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Acts with this access token.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Has the request authorized when nothing of it changes any more, replacing an earlier seal.
    pub fn sealed(mut self, seal: impl FnOnce(&Request) -> Result<String, Stop> + Send + 'static) -> Self {
        self.seal = Some(Box::new(seal));
        self
    }

    /// Takes a refusal for too many requests as the answer: what is counted is not what comes in a while.
    pub fn impatient(mut self) -> Self {
        self.impatient = true;
        self
    }

    /// Leaves the request without a seal.
    pub fn unsealed(mut self) -> Self {
        self.seal = None;
        self
    }

    /// Makes something else of a success.
    pub fn reading<U>(self, read: impl FnOnce(Answer) -> Result<U, Stop> + Send + 'static) -> Call<U>
    where
        T: 'static,
    {
        let Call { wire, scene, method, target, headers, body, seal, impatient, read: before } = self;
        drop(before);
        Call { wire, scene, method, target, headers, body, seal, impatient, read: Box::new(read) }
    }

    /// Sends it and gives whatever came.
    pub async fn answer(self) -> Result<Answer, Stop> {
        self.exchange().await.map(|(answer, _)| answer)
    }

    /// Sends it and requires a standard error response with this status and this code.
    pub async fn must_refuse(self, status: u16, errcode: &str) -> Result<Answer, Stop> {
        self.answer().await?.must_refuse(status, errcode)
    }

    /// Sends it and requires this status.
    pub async fn must_be(self, status: u16) -> Result<Answer, Stop> {
        self.answer().await?.must_be(status)
    }

    /// Sends it and requires a client error (4xx).
    pub async fn must_be_refused(self) -> Result<Answer, Stop> {
        self.answer().await?.must_be_refused()
    }

    async fn exchange(self) -> Result<(Answer, Read<T>), Stop> {
        let Call { wire, scene, method, target, headers, body, seal, impatient, read } = self;
        let mut request = Request { method, target, headers, body };
        if let Some(seal) = seal {
            let value = HeaderValue::from_str(&seal(&request)?);
            let value = value.map_err(|error| Stop::Fault(format!("no header value: {error}")))?;
            request.headers.insert(http::header::AUTHORIZATION, value);
        }
        let exchange = match impatient {
            true => wire.send_once(&scene, &request).await?,
            false => wire.send(&scene, request).await?,
        };
        Ok((Answer::new(exchange, scene), read))
    }
}

impl<T: 'static> IntoFuture for Call<T> {
    type Output = Result<T, Stop>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (answer, read) = self.exchange().await?;
            read(answer.must_succeed()?)
        })
    }
}
