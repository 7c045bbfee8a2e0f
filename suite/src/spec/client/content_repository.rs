//! `client-server-api/#content-repository`

use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::json;
use suite_attribute::conformance;

use super::thumbnails::{png, thumbnail};
use crate::{
    cast::{Answer, Call, Homeserver, User, encoded, remote::Reply},
    path,
    verdict::{Stop, Verdict},
};

/// The largest file that is sent to find out whether the limit of uploads holds.
const BEARABLE_BYTES: u64 = 8_000_000;

/// What was uploaded is downloaded by any user: the same bytes, of the same type.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediadownloadservernamemediaid",
    level = Must,
    severity = Interop,
    since = "v1.11",
    proves = ["client-server-api/get_matrixclientv1mediadownloadservernamemediaid/6"]
)]
async fn content_comes_back(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let media = upload(&alice, "application/x-determinant", bytes.clone()).await?;

    let answer = download(&bob, &media).await?;
    answer.must(answer.body() == bytes, "the bytes that were uploaded", || {
        format!("{} other bytes", answer.body().len())
    })?;
    let content_type = answer.header("content-type").unwrap_or_default();
    answer.must(content_type == "application/x-determinant", "the type that was uploaded", || {
        content_type.to_owned()
    })
}

/// The name that a file was uploaded with is given to those who download it.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediadownloadservernamemediaid",
    level = Must,
    severity = Usability,
    since = "v1.12",
    each = file_names,
    proves = [
        "client-server-api/get_matrixclientv1mediadownloadservernamemediaid/5",
        "client-server-api/get_matrixclientv1mediadownloadservernamemediaidfilename/2",
        "client-server-api/get_matrixclientv1mediadownloadservernamemediaid/3",
    ]
)]
async fn file_name_is_kept(hs: &Homeserver, name: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let name = match name {
        "ASCII" => "holiday photo.png",
        "semicolons" => "holiday;photo;.png",
        _ => "kæfer ☕.png",
    };
    let call = upload_call(&alice, "image/png", b"?".to_vec()).query("filename", name);
    let media = Media::of(&call.await?)?;

    let answer = download(&alice, &media).await?;
    must_be_named(&answer, Some(name))?;
    let other = alice.get(format!("{}/{}", media.path("download"), encoded("other ☕.txt"))).await?;
    other.must(other.body() == b"?", "the byte that was uploaded", || format!("{:?}", other.body()))?;
    must_be_named(&other, Some("other ☕.txt"))
}

fn file_names() -> [&'static str; 3] {
    ["ASCII", "semicolons", "Unicode"]
}

/// A file that was uploaded without a name is given out without one.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediadownloadservernamemediaid",
    level = Must,
    severity = Cosmetic,
    since = "v1.12"
)]
async fn file_without_a_name_has_none(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", b"?".to_vec()).await?;
    must_be_named(&download(&alice, &media).await?, None)
}

/// What could carry scripts into a page is given out as an attachment.
#[conformance(
    spec = "client-server-api/#serving-inline-content",
    level = Should,
    severity = Security,
    since = "v1.12",
    each = dangerous_types,
    proves = [
        "client-server-api/get_matrixclientv1mediadownloadservernamemediaid/4",
        "client-server-api/get_matrixclientv1mediadownloadservernamemediaidfilename/3",
        "client-server-api/serving-inline-content/2",
    ]
)]
async fn dangerous_types_are_attached(hs: &Homeserver, content_type: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, content_type, b"<html><script>alert(1)</script></html>".to_vec()).await?;
    for target in [media.path("download"), format!("{}/a.html", media.path("download"))] {
        let answer = alice.get(target).await?;
        let disposition = answer.header("content-disposition").unwrap_or_default();
        let is_attached = disposition.starts_with("attachment");
        answer.must(is_attached, "the disposition attachment", || disposition.to_owned())?;
    }
    Ok(())
}

fn dangerous_types() -> [&'static str; 3] {
    ["text/html", "image/svg+xml", "application/javascript"]
}

/// Content is given out with headers that keep it from acting and let pages of other origins have it.
#[conformance(
    spec = "client-server-api/#content-repository",
    level = Should,
    severity = Security,
    since = "v1.11",
    each = headers,
    proves = ["client-server-api/content-repository/2", "client-server-api/content-repository/3"]
)]
async fn content_is_fenced_in(hs: &Homeserver, header: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "text/plain", b"?".to_vec()).await?;
    let answer = download(&alice, &media).await?;
    let came = answer.header(header).unwrap_or_default();
    let as_expected = match header {
        "cross-origin-resource-policy" => came == "cross-origin",
        _ => came.contains("sandbox") && came.contains("default-src 'none'"),
    };
    answer.must(as_expected, format!("the recommended {header}"), || format!("{came:?}"))
}

fn headers() -> [&'static str; 2] {
    ["content-security-policy", "cross-origin-resource-policy"]
}

/// What is larger than the limit that clients are told of is refused.
#[conformance(
    spec = "client-server-api/#content-repo-security-considerations",
    level = Should,
    severity = Security,
    since = "v1.11",
    each = config_paths,
    proves = ["client-server-api/content-repo-security-considerations/2"]
)]
async fn limit_of_uploads_holds(hs: &Homeserver, path: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let config = alice.get(format!("/_matrix/{path}/config")).await?;
    let limit = bearable(&config)?;
    config.must(limit > 0, "a limit above 0", || limit.to_string())?;
    let bytes = vec![b'?'; limit];
    upload(&alice, "text/plain", bytes.clone()).await?;

    let larger = [bytes.as_slice(), b"?"].concat();
    upload_call(&alice, "text/plain", larger.clone()).must_refuse(413, "M_TOO_LARGE").await?;
    let later = upload_to(&alice, &create(&alice).await?, larger);
    later.must_refuse(413, "M_TOO_LARGE").await.map(drop)
}

fn config_paths() -> [&'static str; 2] {
    ["client/v1/media", "media/v3"]
}

/// Content can be uploaded to a media id that was created before, once, and is not there until then.
#[conformance(
    spec = "client-server-api/#put_matrixmediav3uploadservernamemediaid",
    level = Must,
    severity = Interop,
    since = "v1.11"
)]
async fn content_may_come_later(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let media = create(&alice).await?;
    let early = || bob.get(media.path("download")).query("timeout_ms", "50");
    early().must_refuse(504, "M_NOT_YET_UPLOADED").await?;

    upload_to(&alice, &media, &b"first"[..]).must_be(200).await?;
    let answer = download(&bob, &media).await?;
    answer.must(answer.body() == b"first", "the content", || format!("{:?}", answer.body()))?;

    upload_to(&alice, &media, &b"second"[..]).must_refuse(409, "M_CANNOT_OVERWRITE_MEDIA").await?;
    let answer = download(&bob, &media).await?;
    answer.must(answer.body() == b"first", "the content that came first", || format!("{:?}", answer.body()))
}

/// A reserved media id says until when it may be used, and that is to come.
#[conformance(
    spec = "client-server-api/#post_matrixmediav1create",
    level = Should,
    severity = Usability,
    since = "v1.7",
    proves = ["client-server-api/post_matrixmediav1create/2"]
)]
async fn reservation_says_when_it_ends(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = alice.post("/_matrix/media/v1/create", json!({})).await?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let end_ms = answer.at("/unused_expires_at").as_u64().map(u128::from);
    answer.must(end_ms.is_some_and(|end_ms| end_ms > now_ms), "a time to come at /unused_expires_at", || {
        answer.at("/unused_expires_at").to_string()
    })
}

/// Content that has not come yet is not there by any path.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid",
    level = Must,
    severity = Interop,
    since = "v1.11",
    each = further_paths
)]
async fn pending_content_is_not_there(hs: &Homeserver, path: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let media = create(&alice).await?;
    let call = match path {
        "thumbnail" => thumbnail(&bob, &media, 8, 8, "scale"),
        _ => bob.get(format!("{}/a.png", media.path("download"))),
    };
    call.query("timeout_ms", "50").must_refuse(504, "M_NOT_YET_UPLOADED").await.map(drop)
}

fn further_paths() -> [&'static str; 2] {
    ["download with a name", "thumbnail"]
}

/// Content is uploaded to a media id by the user who has created it, and by nobody else.
#[conformance(
    spec = "client-server-api/#put_matrixmediav3uploadservernamemediaid",
    level = Must,
    severity = Security,
    since = "v1.11"
)]
async fn media_id_belongs_to_its_maker(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let media = create(&alice).await?;
    upload_to(&eve, &media, &b"eve's"[..]).must_refuse(403, "M_FORBIDDEN").await?;

    upload_to(&alice, &media, &b"alice's"[..]).await?;
    let answer = download(&eve, &media).await?;
    answer.must(answer.body() == b"alice's", "alice's content", || format!("{:?}", answer.body()))
}

/// Nothing is uploaded to a media id that was not created.
#[conformance(
    spec = "client-server-api/#put_matrixmediav3uploadservernamemediaid",
    level = Must,
    severity = Interop,
    since = "v1.7"
)]
async fn unknown_media_id_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = Media { server: hs.name().to_owned(), id: format!("determinant{}", hs.unique()) };
    upload_to(&alice, &media, &b"?"[..]).must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// What is uploaded today is not given out on the older paths, which ask for no access token.
#[conformance(
    spec = "client-server-api/#content-repo-client-behaviour",
    level = Should,
    severity = Security,
    since = "v1.12",
    each = frozen_paths,
    proves = [
        "client-server-api/content-repo-client-behaviour/1",
        "client-server-api/content-repo-client-behaviour/2",
    ]
)]
async fn older_paths_are_frozen(hs: &Homeserver, operation: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", png(40, 20)?).await?;
    let legacy = |path: String| path.replace("/_matrix/client/v1/media/", "/_matrix/media/v3/");
    let target = match operation {
        "download" => legacy(media.path("download")),
        "download with a name" => format!("{}/a.png", legacy(media.path("download"))),
        _ => format!("{}?width=8&height=8", legacy(media.path("thumbnail"))),
    };
    hs.get(target).must_be_refused().await?;
    download(&alice, &media).await.map(drop)
}

fn frozen_paths() -> [&'static str; 3] {
    ["download", "download with a name", "thumbnail"]
}

/// The most bytes that may be uploaded, where that is little enough to be sent.
pub(in crate::spec) async fn bearable_limit(user: &User) -> Result<usize, Stop> {
    bearable(&user.get("/_matrix/client/v1/media/config").await?)
}

fn bearable(config: &Answer) -> Result<usize, Stop> {
    match config.at("/m.upload.size").as_u64() {
        Some(limit) if limit <= BEARABLE_BYTES => Ok(usize::try_from(limit).unwrap_or_default()),
        limit => Err(Stop::NotApplicable(format!("the limit is {limit:?}: too much to send"))),
    }
}

/// The two parts of an `mxc://` URI: `client-server-api/#matrix-content-mxc-uris`.
pub(super) struct Media {
    pub(super) server: String,
    pub(super) id: String,
}

impl Media {
    pub(super) fn of(answer: &Answer) -> Result<Self, Stop> {
        let uri = answer.must_have_text("/content_uri")?;
        let parts = uri.strip_prefix("mxc://").and_then(|rest| rest.split_once('/'));
        answer.must(parts.is_some(), "an mxc:// URI of a server and a media id", || uri.clone())?;
        let (server, id) = parts.unwrap_or_default();
        Ok(Media { server: server.to_owned(), id: id.to_owned() })
    }

    pub(super) fn path(&self, operation: &str) -> String {
        path!("/_matrix/client/v1/media/{}/{}/{}", operation, self.server, self.id)
    }
}

pub(super) fn upload_call(user: &User, content_type: &str, bytes: Vec<u8>) -> Call {
    let call = user.request(Method::POST, "/_matrix/media/v3/upload");
    call.header("content-type", content_type).bytes(bytes)
}

pub(super) async fn upload(user: &User, content_type: &str, bytes: Vec<u8>) -> Result<Media, Stop> {
    Media::of(&upload_call(user, content_type, bytes).await?)
}

pub(super) async fn create(user: &User) -> Result<Media, Stop> {
    Media::of(&user.post("/_matrix/media/v1/create", json!({})).await?)
}

pub(super) fn upload_to(user: &User, media: &Media, bytes: impl Into<bytes::Bytes>) -> Call {
    let target = path!("/_matrix/media/v3/upload/{}/{}", media.server, media.id);
    user.request(Method::PUT, target).header("content-type", "text/plain").bytes(bytes)
}

fn download(user: &User, media: &Media) -> Call {
    user.get(media.path("download"))
}

/// Requires a `Content-Disposition` with this name, or without any (RFC 6266).
pub(in crate::spec) fn must_be_named(answer: &Answer, name: Option<&str>) -> Verdict {
    let disposition = answer.header("content-disposition").unwrap_or_default();
    let kind = disposition.split(';').next().unwrap_or_default().trim();
    answer.must(matches!(kind, "inline" | "attachment"), "the disposition inline or attachment", || {
        disposition.to_owned()
    })?;
    let came = file_name(disposition);
    answer.must(came.as_deref() == name, format!("the file name {name:?}"), || disposition.to_owned())
}

pub(super) fn file_name(disposition: &str) -> Option<String> {
    let parameter = |name: &str| {
        let parameters = parameters(disposition);
        parameters.into_iter().find_map(|parameter| parameter.strip_prefix(name).map(str::to_owned))
    };
    if let Some(extended) = parameter("filename*=") {
        let encoded = extended.split('\'').nth(2)?;
        return percent_encoding::percent_decode_str(encoded).decode_utf8().ok().map(Into::into);
    }
    parameter("filename=").map(|name| name.trim_matches('"').to_owned())
}

/// What stands behind the first semicolon, parted at those that no quotes protect.
fn parameters(disposition: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let parts = disposition.split(|letter| {
        is_quoted ^= letter == '"';
        letter == ';' && !is_quoted
    });
    parts.skip(1).map(str::trim).collect()
}

/// A preview has the Open Graph properties of the page, with its image among the media.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediapreview_url",
    level = Must,
    severity = Usability,
    each = preview_paths
)]
async fn page_is_previewed(hs: &Homeserver, path: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let page = "<html><head><meta property='og:title' content='A &amp; B'>\
         <meta property='og:image' content='/image.png'></head><body>text</body></html>";
    let image = png(8, 4)?;
    let size = image.len();
    let website = hs.website([
        ("/page", Reply::bytes(200, "text/html; charset=utf-8", page)),
        ("/image.png", Reply::bytes(200, "image/png", image)),
    ])?;

    let preview = alice.get(path).query("url", website.url("/page")).await?;

    preview.must_hold("/og:title", "A & B")?;
    preview.must_hold("/matrix:image:size", size)?;
    let uri = preview.must_have_text("/og:image")?;
    let place = uri.strip_prefix("mxc://").unwrap_or_default().to_owned();
    let fetched = alice.get(format!("/_matrix/client/v1/media/download/{place}")).await?;
    fetched.must(fetched.body().len() == size, "the image of the page", || {
        format!("{} bytes", fetched.body().len())
    })
}

fn preview_paths() -> [&'static str; 2] {
    ["/_matrix/client/v1/media/preview_url", "/_matrix/media/v3/preview_url"]
}
