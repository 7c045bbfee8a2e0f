//! Media across servers: server-server-api/#content-repository.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode};

use super::path_segment;
use super::request_authentication::Signed;
use super::requests::{PeerError, RawAnswer};
use crate::client::content_repository::download::{Served, local, local_thumbnail};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query};
use crate::token;

/// How long another server may take to send content.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Content that was uploaded here.
pub(super) async fn download(
    State(server): State<Arc<Homeserver>>,
    Path(media_id): Path<String>,
    query: Query,
    _: Signed,
) -> Result<Response, MatrixError> {
    Ok(multipart(local(&server, &media_id, &query).await?))
}

/// A thumbnail of content that was uploaded here.
pub(super) async fn thumbnail(
    State(server): State<Arc<Homeserver>>,
    Path(media_id): Path<String>,
    query: Query,
    _: Signed,
) -> Result<Response, MatrixError> {
    Ok(multipart(local_thumbnail(&server, &media_id, &query).await?))
}

/// Two parts: what is known of the content, which is nothing, and the content (RFC 2046 §5.1).
fn multipart(served: Served) -> Response {
    let boundary = token::opaque(32);
    let mut body = BytesMut::new();
    let mut line = |text: &str| {
        body.extend_from_slice(text.as_bytes());
        body.extend_from_slice(b"\r\n");
    };
    line(&format!("--{boundary}"));
    line("Content-Type: application/json");
    line("");
    line("{}");
    line(&format!("--{boundary}"));
    line(&format!("Content-Type: {}", one_line(&served.content_type)));
    line(&format!("Content-Disposition: {}", one_line(&served.disposition())));
    line("");
    body.extend_from_slice(&served.content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    ([(CONTENT_TYPE, format!("multipart/mixed; boundary={boundary}"))], body.freeze()).into_response()
}

/// A header keeps to its line, whatever the uploader has named the content.
fn one_line(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

/// Fetches content, or a thumbnail of it, from the server where it was uploaded.
pub(crate) async fn fetch(
    server: &Homeserver,
    origin: &str,
    kind: &str,
    media_id: &str,
    query: &str,
) -> Result<Served, MatrixError> {
    let uri = format!("/_matrix/federation/v1/media/{kind}/{}{query}", path_segment(media_id));
    let answer = server.ask_raw(TIMEOUT, origin, Method::GET, &uri, None).await?;
    if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
        && is_unrecognized(&answer)
    {
        return fetch_as_before(server, origin, kind, media_id, query).await;
    }
    if !answer.status.is_success() {
        let body = protocol::json::read(&answer.body).unwrap_or_default();
        return Err(PeerError::Refused { server: origin.to_owned(), status: answer.status, body }.into());
    }
    let useless = |reason: &str| MatrixError::from(PeerError::useless(origin, reason));
    let boundary = boundary(&answer.headers).ok_or_else(|| useless("it is not in parts"))?;
    let (headers, content) =
        second_part(&answer.body, &boundary).ok_or_else(|| useless("a part is missing"))?;
    let text = |name: &http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (content, headers) = match text(&LOCATION) {
        None => (content, headers.clone()),
        Some(location) => follow(server, origin, location, headers.clone()).await?,
    };
    let text =
        |name: &http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let file_name = text(&CONTENT_DISPOSITION).and_then(|disposition| file_name(&disposition));
    let content_type = text(&CONTENT_TYPE).unwrap_or_else(|| "application/octet-stream".to_owned());
    bounded(server, content.len())?;
    Ok(Served { content, content_type, file_name })
}

/// Refuses what is larger than anything that may be uploaded (client-server-api/#content-repo-security-considerations).
fn bounded(server: &Homeserver, bytes: usize) -> Result<(), MatrixError> {
    let most = server.config.media.max_upload_bytes;
    if bytes > most && !commits(Fault::HugeFilesPassedOn) {
        let message = format!("content of more than {most} bytes is not fetched");
        return Err(MatrixError::new(http::StatusCode::BAD_GATEWAY, "M_TOO_LARGE", message));
    }
    Ok(())
}

fn is_unrecognized(answer: &RawAnswer) -> bool {
    let body = protocol::json::read(&answer.body).unwrap_or_default();
    body.get("errcode").is_none_or(|code| code == "M_UNRECOGNIZED")
}

/// Fetches content from a server that does not know of signed requests for it, by the path that clients used
/// (client-server-api/#get_matrixmediav3downloadservernamemediaid). It is not to ask any further.
async fn fetch_as_before(
    server: &Homeserver,
    origin: &str,
    kind: &str,
    media_id: &str,
    query: &str,
) -> Result<Served, MatrixError> {
    let query = query.trim_start_matches('?');
    let and = if query.is_empty() { "" } else { "&" };
    let (owner, media_id) = (path_segment(origin), path_segment(media_id));
    let uri = format!("/_matrix/media/v3/{kind}/{owner}/{media_id}?allow_remote=false{and}{query}");
    let answer = server.ask_raw(TIMEOUT, origin, Method::GET, &uri, None).await?;
    if !answer.status.is_success() {
        let body = protocol::json::read(&answer.body).unwrap_or_default();
        return Err(PeerError::Refused { server: origin.to_owned(), status: answer.status, body }.into());
    }
    bounded(server, answer.body.len())?;
    let text = |name: &http::HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok());
    Ok(Served {
        file_name: text(&CONTENT_DISPOSITION).and_then(file_name),
        content_type: text(&CONTENT_TYPE).unwrap_or("application/octet-stream").to_owned(),
        content: answer.body,
    })
}

/// Fetches content from where its server says that it is.
async fn follow(
    server: &Homeserver,
    origin: &str,
    location: &str,
    mut headers: HeaderMap,
) -> Result<(Bytes, HeaderMap), MatrixError> {
    let useless = |reason: String| MatrixError::from(PeerError::useless(origin, reason));
    let url = reqwest::Url::parse(location).map_err(|error| useless(error.to_string()))?;
    if url.scheme() != "https" {
        return Err(useless("it leads to a URL that is not https".to_owned()));
    }
    server.outgoing.check_address(&url).map_err(useless)?;
    let response = server.outgoing.client.get(url).timeout(TIMEOUT).send().await;
    let mut response = response.map_err(|error| useless(error.to_string()))?;
    if !response.status().is_success() {
        return Err(useless(format!("it leads to a {}", response.status())));
    }
    for name in [CONTENT_TYPE, CONTENT_DISPOSITION] {
        if let Some(value) = response.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let mut content = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(|error| useless(error.to_string()))? {
        bounded(server, content.len() + part.len())?;
        content.extend_from_slice(&part);
    }
    Ok((content.freeze(), headers))
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (essence, parameters) = content_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let parameter = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    };
    parameters.split(';').find_map(parameter).filter(|boundary| !boundary.is_empty())
}

/// Headers and content of the second part.
fn second_part(body: &Bytes, boundary: &str) -> Option<(HeaderMap, Bytes)> {
    let delimiter = format!("--{boundary}").into_bytes();
    let find = |needle: &[u8], from: usize| {
        let found = body.get(from..)?.windows(needle.len()).position(|window| window == needle)?;
        Some(from + found)
    };
    let first = find(&delimiter, 0)?;
    let second = find(&delimiter, first + delimiter.len())?;
    let start = find(b"\r\n", second)? + 2;
    let mut closing = b"\r\n".to_vec();
    closing.extend_from_slice(&delimiter);
    // A part without headers begins with the empty line.
    let (head_end, content_start) = if body.get(start..)?.starts_with(b"\r\n") {
        (start, start + 2)
    } else {
        let end = find(b"\r\n\r\n", start)?;
        (end, end + 4)
    };
    let end = find(&closing, content_start.saturating_sub(2))?;
    let mut headers = HeaderMap::new();
    for line in std::str::from_utf8(body.get(start..head_end)?).ok()?.split("\r\n") {
        if let Some((name, value)) = line.split_once(':')
            && let (Ok(name), Ok(value)) =
                (name.trim().parse::<http::HeaderName>(), value.trim().parse::<http::HeaderValue>())
        {
            headers.insert(name, value);
        }
    }
    Some((headers, body.slice(content_start..end.max(content_start))))
}

/// The name of a file in `Content-Disposition` (RFC 6266), in either spelling.
fn file_name(disposition: &str) -> Option<String> {
    let mut is_quoted = false;
    let parts = disposition.split(|letter| {
        is_quoted ^= letter == '"';
        letter == ';' && !is_quoted
    });
    let parameters: Vec<_> = parts.skip(1).filter_map(|parameter| parameter.split_once('=')).collect();
    let value = |wanted: &str| {
        let named = parameters.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        named.map(|(_, value)| value.trim())
    };
    let extended = value("filename*").and_then(|value| {
        let encoded = value.split_once("''")?.1;
        Some(percent_encoding::percent_decode_str(encoded).decode_utf8_lossy().into_owned())
    });
    extended.or_else(|| value("filename").map(|name| name.trim_matches('"').replace("\\\"", "\"")))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rstest::rstest;

    use super::{file_name, second_part};

    #[rstest]
    #[case(
        "--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\nContent-Type: a/b\r\n\r\nbytes\r\n--b--\r\n",
        Some("bytes")
    )]
    #[case("--b\r\n\r\n{}\r\n--b\r\n\r\nbytes\r\n--b--", Some("bytes"))]
    #[case("--b\r\n\r\n{}\r\n--b\r\n\r\n\r\n--b--", Some(""))]
    #[case("--b\r\n\r\n{}\r\n--b--", None)]
    #[case("", None)]
    fn the_second_part_is_the_content(#[case] body: &'static str, #[case] expected: Option<&str>) {
        let part = second_part(&Bytes::from_static(body.as_bytes()), "b");
        assert_eq!(part.as_ref().map(|(_, content)| &content[..]), expected.map(str::as_bytes));
    }

    #[rstest]
    #[case("attachment; filename=\"a b.txt\"", Some("a b.txt"))]
    #[case("inline; filename=\"a;b.txt\"", Some("a;b.txt"))]
    #[case("inline; filename*=utf-8''%E2%98%95.svg", Some("☕.svg"))]
    #[case("inline", None)]
    fn names_of_files_are_read(#[case] disposition: &str, #[case] expected: Option<&str>) {
        assert_eq!(file_name(disposition).as_deref(), expected);
    }
}
