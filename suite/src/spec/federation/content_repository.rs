//! `server-server-api/#content-repository`

use http::Method;
use suite_attribute::conformance;

use crate::{
    cast::{
        Answer, Homeserver, User,
        remote::{Question, Reply},
    },
    path,
    spec::client::content_repository::bearable_limit,
    verdict::{Stop, Verdict},
};

/// A small picture.
fn picture() -> Result<Vec<u8>, Stop> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let written = image::RgbImage::new(8, 8).write_to(&mut bytes, image::ImageFormat::Png);
    written.map_err(|error| Stop::Fault(format!("no picture: {error}")))?;
    Ok(bytes.into_inner())
}

/// Uploads a file; gives its media id.
async fn upload(user: &User, media_type: &str, bytes: impl Into<bytes::Bytes>) -> Result<String, Stop> {
    let call = user.request(Method::POST, "/_matrix/media/v3/upload").header("content-type", media_type);
    let uri = call.bytes(bytes).await?.must_have_text("/content_uri")?;
    Ok(uri.rsplit('/').next().unwrap_or_default().to_owned())
}

/// The two parts of a `multipart/mixed` answer: metadata and file.
fn parts(answer: &Answer) -> Result<(serde_json::Value, Vec<u8>), Stop> {
    let unmet = |got: &str| Stop::unmet_by(answer.exchange(), "metadata and a file in multipart/mixed", got);
    let media_type = answer.header("content-type").unwrap_or_default();
    let boundary = media_type.split("boundary=").nth(1).map(|rest| rest.trim_matches('"').to_owned());
    let boundary = boundary.ok_or_else(|| unmet(media_type))?;
    let marker = format!("--{boundary}").into_bytes();
    let body = answer.body();
    let places: Vec<usize> = (0..body.len()).filter(|place| body[*place..].starts_with(&marker)).collect();
    let [first, second, third] = places[..] else { return Err(unmet("another number of parts")) };
    let content = |from: usize, to: usize| {
        let part = &body[from + marker.len()..to];
        let head = part.windows(4).position(|window| window == b"\r\n\r\n");
        head.map(|head| part[head + 4..].strip_suffix(b"\r\n").unwrap_or(&part[head + 4..]).to_vec())
    };
    let metadata = content(first, second).and_then(|part| serde_json::from_slice(&part).ok());
    let metadata = metadata.ok_or_else(|| unmet("a first part that is not JSON"))?;
    Ok((metadata, content(second, third).ok_or_else(|| unmet("a second part without a head"))?))
}

/// A file is given to other servers, with its metadata.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1mediadownloadmediaid",
    level = Must,
    severity = Interop,
    since = "v1.11",
    proves = ["server-server-api/get_matrixfederationv1mediadownloadmediaid/2"]
)]
async fn file_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "text/plain", "a file").await?;
    let remote = hs.remote().await?;
    let answer = remote.get(path!("/_matrix/federation/v1/media/download/{}", media))?.await?;
    let (metadata, file) = parts(&answer)?;
    answer.must(metadata.is_object(), "an object as metadata", || metadata.to_string())?;
    answer.must(file == b"a file", "the file as it was", || format!("{} bytes", file.len()))
}

/// A file without content is a file, and is given to other servers.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1mediadownloadmediaid",
    level = Must,
    severity = Interop,
    since = "v1.11"
)]
async fn empty_file_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "text/plain", "").await?;
    let remote = hs.remote().await?;
    let answer = remote.get(path!("/_matrix/federation/v1/media/download/{}", media))?.await?;
    let (_, file) = parts(&answer)?;
    answer.must(file.is_empty(), "a file without content", || format!("{} bytes", file.len()))
}

/// A thumbnail is given to other servers.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1mediathumbnailmediaid",
    level = Must,
    severity = Interop,
    since = "v1.11",
    proves = ["server-server-api/get_matrixfederationv1mediathumbnailmediaid/6"]
)]
async fn thumbnail_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", picture()?).await?;
    let remote = hs.remote().await?;
    let call = remote.get(path!("/_matrix/federation/v1/media/thumbnail/{}", media))?;
    let answer = call.query("width", "1").query("height", "1").query("method", "scale").await?;
    let (_, file) = parts(&answer)?;
    let picture = image::load_from_memory(&file).is_ok();
    answer.must(picture, "a picture", || format!("{} bytes that are none", file.len()))
}

/// A file that does not exist is not given.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1mediadownloadmediaid",
    level = Must,
    severity = Interop,
    since = "v1.11"
)]
async fn unknown_file_is_not_given(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    remote.get("/_matrix/federation/v1/media/download/unknown")?.must_be_refused().await.map(drop)
}

/// A user is given a file of another server, which is asked for it.
#[conformance(
    spec = "server-server-api/#content-repository",
    level = Must,
    severity = Interop,
    since = "v1.11",
    proves = [
        "server-server-api/content-repository/1",
        "server-server-api/content-repository/2",
        "client-server-api/content-repository/1",
    ]
)]
async fn file_of_another_server_is_fetched(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.hold_media("far-away", "text/plain", "from far away");
    let path = path!("/_matrix/client/v1/media/download/{}/far-away", remote.name());
    let answer = alice.get(path).await?;
    answer.must(answer.body() == b"from far away", "the file as it was", || {
        format!("{} bytes", answer.body().len())
    })?;
    remote.is_asked(Question::Media).await.map(drop)
}

/// A thumbnail of a picture on another server is given.
#[conformance(
    spec = "server-server-api/#content-repository",
    level = Must,
    severity = Interop,
    since = "v1.11"
)]
async fn thumbnail_of_another_server_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.hold_media("picture", "image/png", picture()?);
    let path = path!("/_matrix/client/v1/media/thumbnail/{}/picture", remote.name());
    let answer = alice.get(path).query("width", "1").query("height", "1").query("method", "scale").await?;
    let picture = image::load_from_memory(answer.body()).is_ok();
    answer.must(picture, "a picture", || format!("{} bytes that are none", answer.body().len()))
}

/// A file of another server that is larger than any that may be uploaded is not passed on.
#[conformance(
    spec = "client-server-api/#content-repo-security-considerations",
    level = Should,
    severity = Security,
    since = "v1.11",
    each = downloads
)]
async fn huge_file_of_another_server_is_refused(hs: &Homeserver, download: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let limit = bearable_limit(&alice).await?;
    let remote = hs.remote().await?;
    remote.hold_media("huge", "text/plain", vec![b'?'; limit + 1]);
    let name = if download == "with a name" { "/huge.txt" } else { "" };
    let path = format!("{}{name}", path!("/_matrix/client/v1/media/download/{}/huge", remote.name()));
    alice.get(path).must_refuse(502, "M_TOO_LARGE").await.map(drop)
}

fn downloads() -> [&'static str; 2] {
    ["as it is", "with a name"]
}

/// A file that the other server does not have is not found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediadownloadservernamemediaid",
    level = Must,
    severity = Usability,
    since = "v1.11"
)]
async fn absent_file_of_another_server_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let path = path!("/_matrix/client/v1/media/download/{}/absent", remote.name());
    let answer = alice.get(path).answer().await?;
    answer.must(!answer.status().is_success(), "no success", || answer.exchange().response.in_short())
}

/// A server that does not know the authenticated endpoints is asked by the old ones, and told not to look any further.
#[conformance(
    spec = "server-server-api/#content-repository",
    level = Must,
    severity = Interop,
    since = "v1.11",
    proves = [
        "server-server-api/content-repository/3",
        "server-server-api/content-repository/4",
    ]
)]
async fn old_endpoints_are_fallen_back_to(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.answers(Question::Media, Reply::error(404, "M_UNRECOGNIZED"));
    let path = path!("/_matrix/client/v1/media/download/{}/old", remote.name());
    alice.get(path).answer().await?;
    let old = |asked: &crate::cast::remote::Asked| {
        let fallback = asked.target.starts_with("/_matrix/media/") && asked.target.contains("/old");
        fallback.then(|| asked.parameter("allow_remote").to_owned())
    };
    let allowed = remote.sees("the old endpoint", old).await?;
    crate::verdict::must(allowed == "false", "allow_remote=false", || format!("allow_remote={allowed}"))
}
