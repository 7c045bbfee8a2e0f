//! Giving media out: client-server-api/#serving-inline-content, client-server-api/#thumbnails.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::identifiers::ServerName;
use tokio::time::Instant;

use super::{UNKNOWN_TYPE, find};
use crate::client::Routes;
use crate::client::sso_client_login::is_icon;
use crate::error::MatrixError;
use crate::federation::content_repository as federation;
use crate::homeserver::Homeserver;
use crate::media::thumbnail::{self, Method, ThumbnailError, Wish};
use crate::misbehave::{Fault, commits};
use crate::request::{GuestOrUser, Path, Query};
use crate::store::media::Description;

/// How long a download waits for content that has not come, if the client does not say, and at most.
const DEFAULT_TIMEOUT_MS: u64 = 20_000;
const MAX_TIMEOUT_MS: u64 = 60_000;

/// What is served inside of a page (client-server-api/#serving-inline-content).
const INLINE: [&str; 26] = [
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
];

/// What needs no escape in the name of a file (RFC 8187).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const POLICY: &str = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; \
     style-src 'unsafe-inline'; object-src 'self';";

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v1/media/download/{server_name}/{media_id}", get(download))
        .route("/_matrix/client/v1/media/download/{server_name}/{media_id}/{file_name}", get(download_as))
        .route("/_matrix/client/v1/media/thumbnail/{server_name}/{media_id}", get(thumbnail))
        .route("/_matrix/media/v3/download/{server_name}/{media_id}", get(frozen_download))
        .route("/_matrix/media/v3/download/{server_name}/{media_id}/{file_name}", get(frozen_download_as))
        .route("/_matrix/media/v3/thumbnail/{server_name}/{media_id}", get(frozen_thumbnail))
}

async fn download(
    State(server): State<Arc<Homeserver>>,
    _: GuestOrUser,
    Path((server_name, media_id)): Path<(String, String)>,
    query: Query,
) -> Result<Response, MatrixError> {
    Ok(serve(content(&server, &server_name, &media_id, &query).await?))
}

async fn download_as(
    State(server): State<Arc<Homeserver>>,
    _: GuestOrUser,
    Path((server_name, media_id, file_name)): Path<(String, String, String)>,
    query: Query,
) -> Result<Response, MatrixError> {
    let served = content(&server, &server_name, &media_id, &query).await?;
    Ok(serve(Served { file_name: Some(file_name), ..served }))
}

async fn thumbnail(
    State(server): State<Arc<Homeserver>>,
    _: GuestOrUser,
    Path((server_name, media_id)): Path<(String, String)>,
    query: Query,
) -> Result<Response, MatrixError> {
    thumbnail_from(&server, &server_name, &media_id, &query).await
}

/// A thumbnail of what was uploaded here or elsewhere.
async fn thumbnail_from(
    server: &Homeserver,
    server_name: &str,
    media_id: &str,
    query: &Query,
) -> Result<Response, MatrixError> {
    let wish = wish(query)?;
    if is_elsewhere(server, server_name, query)? {
        let method = if matches!(wish.method, Method::Crop) { "crop" } else { "scale" };
        let (width, height, animated) = (wish.width, wish.height, wish.animated);
        let passed = format!("?width={width}&height={height}&method={method}&animated={animated}");
        return Ok(serve(federation::fetch(server, server_name, "thumbnail", media_id, &passed).await?));
    }
    let (content, _) = wait(server, server_name, media_id, query).await?;
    Ok(serve(thumbnail_of(content, wish).await?))
}

async fn frozen_download(
    State(server): State<Arc<Homeserver>>,
    Path((server_name, media_id)): Path<(String, String)>,
    query: Query,
) -> Result<Response, MatrixError> {
    must_not_be_frozen(&server, &server_name, &media_id)?;
    Ok(serve(content(&server, &server_name, &media_id, &query).await?))
}

async fn frozen_download_as(
    State(server): State<Arc<Homeserver>>,
    Path((server_name, media_id, file_name)): Path<(String, String, String)>,
    query: Query,
) -> Result<Response, MatrixError> {
    must_not_be_frozen(&server, &server_name, &media_id)?;
    let served = content(&server, &server_name, &media_id, &query).await?;
    Ok(serve(Served { file_name: Some(file_name), ..served }))
}

async fn frozen_thumbnail(
    State(server): State<Arc<Homeserver>>,
    Path((server_name, media_id)): Path<(String, String)>,
    query: Query,
) -> Result<Response, MatrixError> {
    must_not_be_frozen(&server, &server_name, &media_id)?;
    thumbnail_from(&server, &server_name, &media_id, &query).await
}

/// The paths that ask for no access token serve what was uploaded before they were frozen: here, nothing ever was, unless the
/// operator leaves them open. The icons of identity providers are exempt (client-server-api/#content-repo-client-behaviour).
fn must_not_be_frozen(server: &Homeserver, server_name: &str, media_id: &str) -> Result<(), MatrixError> {
    if server.config.media.unauthenticated || (server_name == server.name() && is_icon(server, media_id)) {
        return Ok(());
    }
    Err(MatrixError::not_found("media are served below /_matrix/client/v1/media only, to those who log in"))
}

/// Content as it is given out.
#[derive(Debug)]
pub(crate) struct Served {
    /// The bytes.
    pub(crate) content: Bytes,
    /// The media type, as it was given.
    pub(crate) content_type: String,
    /// The name of the file, if it has one.
    pub(crate) file_name: Option<String>,
}

impl Served {
    /// Whether it may be shown inside of a page, and what it is called.
    pub(crate) fn disposition(&self) -> String {
        disposition(&self.content_type, self.file_name.as_deref())
    }
}

/// Content that was uploaded here.
pub(crate) async fn local(server: &Homeserver, media_id: &str, query: &Query) -> Result<Served, MatrixError> {
    let (content, Description { content_type, file_name }) =
        wait(server, server.name(), media_id, query).await?;
    Ok(Served { content, content_type, file_name })
}

/// A thumbnail of content that was uploaded here.
pub(crate) async fn local_thumbnail(
    server: &Homeserver,
    media_id: &str,
    query: &Query,
) -> Result<Served, MatrixError> {
    let wish = wish(query)?;
    let (content, _) = wait(server, server.name(), media_id, query).await?;
    thumbnail_of(content, wish).await
}

/// Content that was uploaded here or elsewhere.
async fn content(
    server: &Homeserver,
    server_name: &str,
    media_id: &str,
    query: &Query,
) -> Result<Served, MatrixError> {
    if !is_elsewhere(server, server_name, query)? {
        let (content, Description { content_type, file_name }) =
            wait(server, server_name, media_id, query).await?;
        return Ok(Served { content, content_type, file_name });
    }
    let passed = query.number::<u64>("timeout_ms")?.map(|timeout_ms| format!("?timeout_ms={timeout_ms}"));
    federation::fetch(server, server_name, "download", media_id, &passed.unwrap_or_default()).await
}

/// Whether another server is to be asked, if the client wants that.
fn is_elsewhere(server: &Homeserver, server_name: &str, query: &Query) -> Result<bool, MatrixError> {
    // What is no server name must lead nowhere (client-server-api/#content-repo-security-considerations).
    ServerName::parse(server_name).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    let may_ask = query.text("allow_remote").is_none() || query.flag("allow_remote")?;
    Ok(server_name != server.name() && may_ask && server.config.federation.is_some())
}

fn wish(query: &Query) -> Result<Wish, MatrixError> {
    let length = |name: &str| {
        query.required(name)?;
        let length = query.number::<u32>(name)?.filter(|length| *length > 0);
        length.ok_or_else(|| MatrixError::invalid_param(format!("query parameter {name} must be positive")))
    };
    Ok(Wish {
        width: length("width")?,
        height: length("height")?,
        method: match query.one_of("method", &["crop", "scale"])? {
            Some("crop") => Method::Crop,
            _ => Method::Scale,
        },
        animated: query.flag("animated")?,
    })
}

async fn thumbnail_of(content: Bytes, wish: Wish) -> Result<Served, MatrixError> {
    let made = tokio::task::spawn_blocking(move || thumbnail::make(&content, wish)).await;
    match made.map_err(MatrixError::internal)? {
        Ok(made) => Ok(Served {
            content: made.bytes.into(),
            content_type: made.content_type.to_owned(),
            file_name: Some(made.file_name.to_owned()),
        }),
        Err(error @ ThumbnailError::TooLarge) => Err(MatrixError::too_large(error.to_string())),
        Err(error @ ThumbnailError::Unreadable) => Err(MatrixError::unknown(error.to_string())),
    }
}

/// The content of a media id, and its description, when it has come.
async fn wait(
    server: &Homeserver,
    server_name: &str,
    media_id: &str,
    query: &Query,
) -> Result<(Bytes, Description), MatrixError> {
    let timeout_ms = query.number("timeout_ms")?.unwrap_or(DEFAULT_TIMEOUT_MS).min(MAX_TIMEOUT_MS);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let mut arrivals = server.contents.arrivals();
    let mut closing = server.closing.clone();
    loop {
        arrivals.borrow_and_update();
        let media = find(server, server_name, media_id).await?;
        if let Some(description) = media.content {
            let content = server.contents.get(media_id.to_owned()).await.map_err(MatrixError::internal)?;
            let content = content.ok_or_else(|| MatrixError::internal("the bytes of a media id are gone"))?;
            return Ok((content, description));
        }
        if Instant::now() >= deadline || *closing.borrow() {
            let message = "the content has not been uploaded yet: try again later";
            return Err(MatrixError::new(StatusCode::GATEWAY_TIMEOUT, "M_NOT_YET_UPLOADED", message));
        }
        tokio::select! {
            _ = arrivals.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
}

fn serve(served: Served) -> Response {
    let header = |text: &str| HeaderValue::from_str(text).ok();
    let disposition = served.disposition();
    let content_type = header(&served.content_type).unwrap_or(HeaderValue::from_static(UNKNOWN_TYPE));
    let disposition = header(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_DISPOSITION, disposition),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
    ];
    (headers, served.content).into_response()
}

/// Whether a file may be shown inside of a page, and what it is called (RFC 6266).
fn disposition(content_type: &str, file_name: Option<&str>) -> String {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let inline = INLINE.contains(&essence.as_str()) && !commits(Fault::EverythingAttached);
    let disposition = if inline { "inline" } else { "attachment" };
    match file_name {
        None => disposition.to_owned(),
        Some(name) if name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{disposition}; filename=\"{quoted}\"")
        }
        Some(name) => format!("{disposition}; filename*=utf-8''{}", utf8_percent_encode(name, KEPT)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::disposition;

    #[rstest]
    #[case("image/png", None, "inline")]
    #[case("Text/Plain; charset=utf-8", Some("a b.txt"), "inline; filename=\"a b.txt\"")]
    #[case("text/html", Some("x\"y\\z"), "attachment; filename=\"x\\\"y\\\\z\"")]
    #[case("image/svg+xml", Some("☕.svg"), "attachment; filename*=utf-8''%E2%98%95.svg")]
    #[case("application/json", Some("a\r\nb"), "inline; filename*=utf-8''a%0D%0Ab")]
    fn what_is_dangerous_is_attached(
        #[case] content_type: &str,
        #[case] name: Option<&str>,
        #[case] expected: &str,
    ) {
        assert_eq!(disposition(content_type, name), expected);
    }
}
