//! `server-server-api/#content-repository`

use http::Method;
use suite_attribute::conformance;

use crate::{
    cast::{
        Answer, Homeserver, User,
        remote::{Question, Reply},
    },
    path,
    spec::client::{
        content_repository::{bearable_limit, must_be_named},
        thumbnails::{moving_gif, pictures_in, png},
    },
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

/// A file of another server has the name that this server gives it, or none.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediadownloadservernamemediaid",
    level = Must,
    severity = Usability,
    since = "v1.12",
    each = file_names
)]
async fn file_of_another_server_keeps_its_name(hs: &Homeserver, name: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let (parameter, name) = match name {
        "ASCII" => ("; filename=\"holiday photo.png\"", Some("holiday photo.png")),
        "semicolons" => ("; filename=\"holiday;photo;.png\"", Some("holiday;photo;.png")),
        "Unicode" => ("; filename*=UTF-8''k%C3%A6fer%20%E2%98%95.png", Some("kæfer ☕.png")),
        _ => ("", None),
    };
    let parts = format!(
        "--part\r\ncontent-type: application/json\r\n\r\n{{}}\r\n--part\r\ncontent-type: image/png\r\n\
         content-disposition: inline{parameter}\r\n\r\n?\r\n--part--\r\n"
    );
    remote.answers(Question::Media, Reply::bytes(200, "multipart/mixed; boundary=part", parts));

    let answer = alice.get(path!("/_matrix/client/v1/media/download/{}/named", remote.name())).await?;

    answer.must(answer.body() == b"?", "the file as it was", || format!("{:?}", answer.body()))?;
    must_be_named(&answer, name)
}

fn file_names() -> [&'static str; 4] {
    ["ASCII", "semicolons", "Unicode", "none"]
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

/// The two things that servers ask for.
fn kinds() -> [&'static str; 2] {
    ["download", "thumbnail"]
}

/// What is given to other servers comes as `multipart/mixed`.
#[conformance(
    spec = "server-server-api/#content-repository",
    level = Must,
    severity = Interop,
    since = "v1.11",
    each = kinds,
    proves = [
        "server-server-api/get_matrixfederationv1mediadownloadmediaid/6",
        "server-server-api/get_matrixfederationv1mediathumbnailmediaid/11"
    ]
)]
async fn answer_is_in_parts(hs: &Homeserver, kind: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", picture()?).await?;
    let remote = hs.remote().await?;
    let call = remote.get(path!("/_matrix/federation/v1/media/{}/{}", kind, media))?;
    let answer = call.query("width", "4").query("height", "4").query("method", "scale").await?;
    let label = answer.header("content-type").unwrap_or_default().to_owned();
    let right = label.split(';').next().is_some_and(|label| label.trim() == "multipart/mixed");
    answer.must(right, "content-type: multipart/mixed", || label.clone())
}

/// A thumbnail for another server, of a picture that moves or does not.
async fn thumbnail_of(
    hs: &Homeserver,
    moves: bool,
    animated: Option<&str>,
) -> Result<(Answer, Vec<u8>), Stop> {
    let [alice] = hs.users().await?;
    let media = match moves {
        true => upload(&alice, "image/gif", moving_gif()?).await?,
        false => upload(&alice, "image/png", png(64, 48)?).await?,
    };
    let remote = hs.remote().await?;
    let call = remote.get(path!("/_matrix/federation/v1/media/thumbnail/{}", media))?;
    let call = call.query("width", "32").query("height", "32").query("method", "scale");
    let call = match animated {
        Some(animated) => call.query("animated", animated),
        None => call,
    };
    let answer = call.await?;
    let (_, file) = parts(&answer)?;
    Ok((answer, file))
}

/// A thumbnail does not move where another server asks for one that does not.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1mediathumbnailmediaid",
    level = Must,
    severity = Usability,
    since = "v1.11",
    proves = ["server-server-api/get_matrixfederationv1mediathumbnailmediaid/2"]
)]
async fn thumbnail_stands_still_on_request(hs: &Homeserver) -> Verdict {
    let (answer, file) = thumbnail_of(hs, true, Some("false")).await?;
    let count = pictures_in(&file);
    answer.must(count == Some(1), "one picture", || format!("{count:?}"))
}

/// A thumbnail stands still where another server does not say what it wants, and where the picture does not move.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1mediathumbnailmediaid",
    level = Should,
    severity = Usability,
    since = "v1.11",
    each = still_wishes,
    proves = [
        "server-server-api/get_matrixfederationv1mediathumbnailmediaid/3",
        "server-server-api/get_matrixfederationv1mediathumbnailmediaid/5"
    ]
)]
async fn thumbnail_stands_still(hs: &Homeserver, wish: &'static str) -> Verdict {
    let (answer, file) = match wish {
        "nothing said" => thumbnail_of(hs, true, None).await?,
        _ => thumbnail_of(hs, false, Some("true")).await?,
    };
    let count = pictures_in(&file);
    answer.must(count == Some(1), "one picture", || format!("{count:?}"))
}

fn still_wishes() -> [&'static str; 2] {
    ["nothing said", "a still picture"]
}

/// A thumbnail for another server is a picture of one of the usual formats, and says which.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1mediathumbnailmediaid",
    level = Should,
    severity = Interop,
    since = "v1.11",
    proves = ["server-server-api/get_matrixfederationv1mediathumbnailmediaid/10"]
)]
async fn thumbnail_has_a_usual_format(hs: &Homeserver) -> Verdict {
    let (answer, _) = thumbnail_of(hs, false, None).await?;
    let body = String::from_utf8_lossy(answer.body()).to_lowercase();
    let formats = ["image/png", "image/apng", "image/jpeg", "image/gif", "image/webp"];
    let labelled = formats.iter().any(|format| body.contains(&format!("content-type: {format}")));
    answer.must(labelled, format!("a part that is one of {formats:?}"), || "none".to_owned())
}

/// A file, or a thumbnail, of another server that lies elsewhere is fetched from where that server says, which is asked each time.
#[conformance(
    spec = "server-server-api/#content-repository",
    level = Should,
    severity = Interop,
    since = "v1.11",
    each = kinds,
    proves = [
        "server-server-api/get_matrixfederationv1mediadownloadmediaid/4",
        "server-server-api/get_matrixfederationv1mediadownloadmediaid/5",
        "server-server-api/get_matrixfederationv1mediathumbnailmediaid/8",
        "server-server-api/get_matrixfederationv1mediathumbnailmediaid/9"
    ]
)]
async fn redirect_is_followed_and_not_kept(hs: &Homeserver, kind: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let at = format!("https://{}/elsewhere", remote.name());
    let moved = format!(
        "--part\r\ncontent-type: application/json\r\n\r\n{{}}\r\n--part\r\nlocation: {at}\r\n\r\n\r\n--part--\r\n"
    );
    let moved = Reply::bytes(200, "multipart/mixed; boundary=part", moved);
    for question in [Question::Media, Question::Thumbnail] {
        remote.answers(question, moved.clone());
    }
    remote.answers_elsewhere(Reply::bytes(200, "image/png", picture()?));

    for _ in 0..2 {
        let call = alice.get(path!("/_matrix/client/v1/media/{}/{}/elsewhere", kind, remote.name()));
        let answer = call.query("width", "4").query("height", "4").query("method", "scale").await?;
        let picture = image::load_from_memory(answer.body()).is_ok();
        answer.must(picture, "the picture from where it is", || format!("{} bytes", answer.body().len()))?;
    }

    let asked = remote.asked(Question::Media).len() + remote.asked(Question::Thumbnail).len();
    let fetched = remote.asked_elsewhere("/elsewhere").len();
    crate::verdict::must(asked >= fetched, "a question for the place before each download", || {
        format!("{asked} questions and {fetched} downloads")
    })
}
