//! Looking at the pages that URLs lead to: client-server-api/#content-repository.
//!
//! Users name the URLs. So every address is judged before it is asked, that of a redirect as well, and what comes is
//! read up to a limit of size and time.

mod open_graph;

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, LOCATION};
use image::ImageReader;
use reqwest::{Response, Url};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::store::media::{self, Description, Media};
use crate::token;

/// How long a preview is shown again before the page is looked at again.
const LIFETIME_MS: i64 = 60 * 60 * 1000;

/// Previews that are kept at most.
const MAX_KEPT: usize = 10_000;

/// The most of a page that is read; what describes it stands at its beginning.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// Redirects that are followed one after another.
const MAX_REDIRECTS: usize = 5;

/// How long a page with its image may take.
const TIMEOUT: Duration = Duration::from_secs(15);

type Preview = Map<String, Value>;

/// The previews that were made lately.
#[derive(Debug, Default)]
pub(crate) struct Previews(Mutex<HashMap<String, Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    since_ms: i64,
    preview: Arc<OnceCell<Preview>>,
}

impl Previews {
    /// What is kept of a URL; whoever comes first fills it, and the others wait for that.
    fn of(&self, url: &Url) -> Arc<OnceCell<Preview>> {
        let now_ms = now_ms();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, kept| kept.since_ms + LIFETIME_MS > now_ms);
        }
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        let fresh = || Kept { since_ms: now_ms, preview: Arc::default() };
        let found = kept.entry(url.to_string()).or_insert_with(fresh);
        if found.since_ms + LIFETIME_MS <= now_ms {
            *found = fresh();
        }
        Arc::clone(&found.preview)
    }
}

/// What a page says of itself. A page that can not be had says nothing; that is not kept.
pub(crate) async fn of(server: &Homeserver, url: &str) -> Result<Preview, MatrixError> {
    let mut url =
        Url::parse(url).map_err(|error| MatrixError::invalid_param(format!("url must be a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(MatrixError::invalid_param("url must begin with http: or https:"));
    }
    url.set_fragment(None);
    server.outgoing.check_address(&url).map_err(MatrixError::forbidden)?;
    let kept = server.previews.of(&url);
    let look = || async {
        tokio::time::timeout(TIMEOUT, look(server, url.clone()))
            .await
            .unwrap_or_else(|_| Err("it takes too long".into()))
    };
    match kept.get_or_try_init(look).await {
        Ok(preview) => Ok(preview.clone()),
        Err(reason) => {
            tracing::info!("no preview of {url}: {reason}");
            Ok(Preview::new())
        }
    }
}

type Reason = Box<dyn std::error::Error + Send + Sync>;

async fn look(server: &Homeserver, url: Url) -> Result<Preview, Reason> {
    let (url, answer) = fetch(server, url).await?;
    let content_type = content_type(&answer);
    if content_type.starts_with("image/") {
        let mut preview = Preview::new();
        let content = whole(answer, server.config.media.max_upload_bytes).await?;
        attach(server, &mut preview, content, content_type).await?;
        return Ok(preview);
    }
    if !matches!(content_type.as_str(), "text/html" | "application/xhtml+xml") {
        return Err(format!("{content_type} is neither a page nor an image").into());
    }
    let page = beginning(answer, MAX_PAGE_BYTES).await?;
    let mut preview = open_graph::read(&page);
    let image = preview.remove("og:image").and_then(|image| url.join(image.as_str()?).ok());
    if let Some(image) = image
        && let Err(reason) = fetch_image(server, &mut preview, image).await
    {
        tracing::info!("no image for the preview of {url}: {reason}");
        preview.retain(|name, _| !name.starts_with("og:image"));
    }
    Ok(preview)
}

async fn fetch_image(server: &Homeserver, preview: &mut Preview, url: Url) -> Result<(), Reason> {
    let (_, answer) = fetch(server, url).await?;
    let content_type = content_type(&answer);
    if !content_type.starts_with("image/") {
        return Err(format!("{content_type} is no image").into());
    }
    let content = whole(answer, server.config.media.max_upload_bytes).await?;
    attach(server, preview, content, content_type).await
}

/// Keeps an image among the media and describes it.
async fn attach(
    server: &Homeserver,
    preview: &mut Preview,
    content: Bytes,
    content_type: String,
) -> Result<(), Reason> {
    let size = content.len();
    let dimensions = ImageReader::new(Cursor::new(&content)).with_guessed_format()?.into_dimensions();
    preview.retain(|name, _| !name.starts_with("og:image:") || name == "og:image:alt");
    if let Ok((width, height)) = dimensions {
        preview.insert("og:image:width".to_owned(), width.into());
        preview.insert("og:image:height".to_owned(), height.into());
    }
    let media_id = token::opaque(24);
    server.contents.put(media_id.clone(), content).await?;
    let description = Description { content_type: content_type.clone(), file_name: None };
    let media = Media { owner: server.name().to_owned(), created_ms: now_ms(), content: Some(description) };
    let id = media_id.clone();
    server.store.write(move |connection| media::add(connection, &id, &media)).await?;
    preview.insert("og:image".to_owned(), format!("mxc://{}/{media_id}", server.name()).into());
    preview.insert("og:image:type".to_owned(), content_type.into());
    preview.insert("matrix:image:size".to_owned(), size.into());
    Ok(())
}

/// Asks for a URL and follows where it leads, as long as that is outside.
async fn fetch(server: &Homeserver, mut url: Url) -> Result<(Url, Response), Reason> {
    for _ in 0..=MAX_REDIRECTS {
        server.outgoing.check_address(&url)?;
        let answer = server.outgoing.client.get(url.clone()).send().await?.error_for_status()?;
        if !answer.status().is_redirection() {
            return Ok((url, answer));
        }
        let location = answer.headers().get(LOCATION).ok_or("a redirect that leads nowhere")?;
        url = url.join(location.to_str()?)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("a redirect to another scheme".into());
        }
    }
    Err("too many redirects".into())
}

/// The media type without parameters, in small letters.
fn content_type(answer: &Response) -> String {
    let header = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The beginning of a body.
async fn beginning(mut answer: Response, limit: usize) -> Result<Bytes, Reason> {
    let mut read = BytesMut::new();
    while read.len() < limit
        && let Some(chunk) = answer.chunk().await?
    {
        read.extend_from_slice(&chunk);
    }
    read.truncate(limit);
    Ok(read.freeze())
}

/// The whole body, if it is not too long.
async fn whole(mut answer: Response, limit: usize) -> Result<Bytes, Reason> {
    let mut read = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        if read.len() + chunk.len() > limit {
            return Err(format!("more than {limit} bytes").into());
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}
