//! The paths of media that ask for no access token: `client-server-api/#content-repo-client-behaviour`

use serde_json::Value;
use suite_attribute::conformance;

use super::content_repository::{
    Media, bearable_limit, create, file_name, must_be_named, upload, upload_call,
};
use super::content_repository_security_considerations::huge_png;
use super::thumbnails::{moving_gif, must_be_an_image_to_show, must_be_inline, pictures, png};
use crate::{
    cast::{Answer, Homeserver, encoded},
    path,
    registry::Case,
    verdict::{Stop, Verdict},
};

/// An image that the older paths give out: one that was uploaded now, where they are not frozen, and otherwise the icon of an
/// identity provider, which is exempt from the freeze.
struct Image {
    media: Media,
    /// The name and the type of an upload; of an icon, nobody knows either.
    uploaded: Option<(&'static str, &'static str)>,
}

const NAME: &str = "holiday photo.gif";

async fn image(hs: &Homeserver) -> Result<Image, Stop> {
    let [alice] = hs.users().await?;
    let call = upload_call(&alice, "image/gif", moving_gif()?).query("filename", NAME);
    let media = Media::of(&call.await?)?;
    if hs.get(download(&media)).answer().await?.status().is_success() {
        return Ok(Image { media, uploaded: Some((NAME, "image/gif")) });
    }
    let flows = hs.get("/_matrix/client/v3/login").answer().await?;
    let texts = |flow: &Value| {
        let providers = flow["identity_providers"].as_array().into_iter().flatten();
        providers.filter_map(|provider| provider["icon"].as_str()).map(str::to_owned).collect::<Vec<_>>()
    };
    let icons = flows.at("/flows").as_array().into_iter().flatten().flat_map(texts);
    let mut icons = icons.filter_map(|icon| {
        let (server, id) = icon.strip_prefix("mxc://")?.split_once('/')?;
        Some(Media { server: server.to_owned(), id: id.to_owned() })
    });
    let icon = icons.next().ok_or_else(|| {
        Stop::NotApplicable("the older paths are frozen, and no identity provider has an icon".to_owned())
    })?;
    Ok(Image { media: icon, uploaded: None })
}

fn download(media: &Media) -> String {
    path!("/_matrix/media/v3/download/{}/{}", media.server, media.id)
}

/// The content itself is given, and no way to it, unless the client says that it takes one.
#[conformance(
    spec = "client-server-api/#get_matrixmediav3downloadservernamemediaid",
    level = Must,
    severity = Interop,
    since = "v1.7",
    each = consents,
    proves = ["client-server-api/get_matrixmediav3downloadservernamemediaid/3"]
)]
async fn content_itself_is_given(hs: &Homeserver, consent: &'static str) -> Verdict {
    let image = image(hs).await?;
    let call = hs.get(download(&image.media));
    let call = if consent == "refused" { call.query("allow_redirect", "false") } else { call };
    must_be_an_image(&call.must_be(200).await?)
}

fn consents() -> [&'static str; 2] {
    ["refused", "left out"]
}

/// A download says how it is to be shown, has the type of what was uploaded, and its name.
#[conformance(
    spec = "client-server-api/#get_matrixmediav3downloadservernamemediaid",
    level = Must,
    severity = Usability,
    proves = [
        "client-server-api/get_matrixmediav3downloadservernamemediaid/4",
        "client-server-api/get_matrixmediav3downloadservernamemediaid/6",
        "client-server-api/get_matrixmediav3downloadservernamemediaid/7",
    ]
)]
async fn download_is_described(hs: &Homeserver) -> Verdict {
    let image = image(hs).await?;
    let answer = hs.get(download(&image.media)).must_be(200).await?;
    let disposition = answer.header("content-disposition").unwrap_or_default();
    let named = file_name(disposition);
    must_be_named(&answer, image.uploaded.map(|(name, _)| name).or(named.as_deref()))?;
    let content_type = answer.header("content-type").unwrap_or_default();
    let expected = image.uploaded.map_or("image/", |(_, content_type)| content_type);
    answer.must(content_type.starts_with(expected), expected, || content_type.to_owned())
}

/// A download by a path with a name in it has this name.
#[conformance(
    spec = "client-server-api/#get_matrixmediav3downloadservernamemediaidfilename",
    level = Must,
    severity = Usability,
    each = names,
    proves = ["client-server-api/get_matrixmediav3downloadservernamemediaidfilename/1"]
)]
async fn name_of_the_path_is_given(hs: &Homeserver, name: &'static str) -> Verdict {
    let image = image(hs).await?;
    let target = format!("{}/{}", download(&image.media), encoded(name));
    must_be_named(&hs.get(target).must_be(200).await?, Some(name))
}

fn names() -> [&'static str; 2] {
    ["icon.gif", "kæfer ☕.gif"]
}

/// A thumbnail is shown inside of the page, and stands still where the client asks for one that does not move.
#[conformance(
    spec = "client-server-api/#get_matrixmediav3thumbnailservernamemediaid",
    level = Must,
    severity = Usability,
    since = "v1.12",
    proves = [
        "client-server-api/get_matrixmediav3thumbnailservernamemediaid/2",
        "client-server-api/get_matrixmediav3thumbnailservernamemediaid/6",
    ]
)]
async fn thumbnail_is_inline_and_stands_still(hs: &Homeserver) -> Verdict {
    let image = image(hs).await?;
    let target = path!("/_matrix/media/v3/thumbnail/{}/{}", image.media.server, image.media.id);
    let call = hs.get(target).query("width", "8").query("height", "8").query("animated", "false");
    let answer = call.must_be(200).await?;
    must_be_inline(&answer)?;
    let pictures = pictures(&answer)?;
    answer.must(pictures == 1, "one picture", || format!("{pictures} pictures"))
}

/// A thumbnail of an image that moves does so where the client asks for it, and stands still where the client says nothing.
#[conformance(
    spec = "client-server-api/#get_matrixmediav3thumbnailservernamemediaid",
    level = Should,
    severity = Usability,
    since = "v1.11",
    each = wishes,
    proves = [
        "client-server-api/get_matrixmediav3thumbnailservernamemediaid/1",
        "client-server-api/get_matrixmediav3thumbnailservernamemediaid/3",
    ]
)]
async fn thumbnail_moves_as_asked_for(hs: &Homeserver, wish: &'static str) -> Verdict {
    let image = image(hs).await?;
    let original = hs.get(download(&image.media)).must_be(200).await?;
    if pictures(&original)? == 1 {
        return Err(Stop::NotApplicable("the older paths give out no image that moves".to_owned()));
    }
    let target = path!("/_matrix/media/v3/thumbnail/{}/{}", image.media.server, image.media.id);
    let call = hs.get(target).query("width", "8").query("height", "8");
    let moves = wish == "animated";
    let answer = if moves { call.query("animated", "true") } else { call }.must_be(200).await?;
    let pictures = pictures(&answer)?;
    answer.must((pictures > 1) == moves, if moves { "several pictures" } else { "one picture" }, || {
        format!("{pictures} pictures")
    })
}

fn wishes() -> [&'static str; 2] {
    ["animated", "left out"]
}

/// What could carry scripts into a page is given out as an attachment on the older paths too.
#[conformance(
    spec = "client-server-api/#serving-inline-content",
    level = Should,
    severity = Security,
    since = "v1.12",
    each = ways_to_download,
    proves = [
        "client-server-api/get_matrixmediav3downloadservernamemediaid/5",
        "client-server-api/get_matrixmediav3downloadservernamemediaidfilename/2",
    ]
)]
async fn dangerous_types_are_attached(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "text/html", b"<html><script>alert(1)</script></html>".to_vec()).await?;
    let target = if way == "with a name" { format!("{}/a.html", download(&media)) } else { download(&media) };
    let answer = hs.get(target).answer().await?;
    if !answer.status().is_success() {
        return Err(Stop::NotApplicable("the older paths are frozen".to_owned()));
    }
    let disposition = answer.header("content-disposition").unwrap_or_default();
    answer
        .must(disposition.starts_with("attachment"), "the disposition attachment", || disposition.to_owned())
}

fn ways_to_download() -> [&'static str; 2] {
    ["as it is", "with a name"]
}

/// Thumbnails of what does not move stand still, and have a type that may be shown inside of a page.
#[conformance(
    spec = "client-server-api/#get_matrixmediav3thumbnailservernamemediaid",
    level = Should,
    severity = Security,
    since = "v1.12",
    proves = [
        "client-server-api/get_matrixmediav3thumbnailservernamemediaid/5",
        "client-server-api/get_matrixmediav3thumbnailservernamemediaid/7",
    ]
)]
async fn still_image_has_a_still_thumbnail(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", png(64, 48)?).await?;
    let target = path!("/_matrix/media/v3/thumbnail/{}/{}", media.server, media.id);
    let call = hs.get(target).query("width", "32").query("height", "32").query("animated", "true");
    let answer = call.answer().await?;
    if !answer.status().is_success() {
        return Err(Stop::NotApplicable("the older paths are frozen".to_owned()));
    }
    let pictures = pictures(&answer)?;
    answer.must(pictures == 1, "one picture", || format!("{pictures} pictures"))?;
    must_be_an_image_to_show(&answer)
}

/// What cannot be given out is refused on the older paths as on those of today.
#[conformance(
    spec = "client-server-api/#content-repo-security-considerations",
    level = Should,
    severity = Interop,
    since = "v1.7",
    each = refusals
)]
async fn refusal_is_told(hs: &Homeserver, refusal: Refusal) -> Verdict {
    let [alice] = hs.users().await?;
    let here = upload(&alice, "image/png", png(40, 20)?).await?;
    if !hs.get(download(&here)).answer().await?.status().is_success() {
        return Err(Stop::NotApplicable("the older paths are frozen".to_owned()));
    }
    let remote = if refusal.reason == "huge" { Some(hs.remote().await?) } else { None };
    let media = match (refusal.reason, &remote) {
        ("huge", Some(remote)) => {
            let mut huge = png(40, 20)?;
            huge.resize(bearable_limit(&alice).await? + 1, 0);
            remote.hold_media("huge", "image/png", huge);
            Media { server: remote.name().to_owned(), id: "huge".to_owned() }
        }
        ("pending", _) => create(&alice).await?,
        _ => upload(&alice, "image/png", huge_png()?).await?,
    };
    let target = match refusal.operation {
        "getContent" => download(&media),
        "getContentOverrideName" => format!("{}/a.png", download(&media)),
        _ => {
            format!("{}?width=8&height=8", path!("/_matrix/media/v3/thumbnail/{}/{}", media.server, media.id))
        }
    };
    let answer = hs.get(target).query("timeout_ms", "50").answer().await?;
    answer.must_refuse(refusal.status, refusal.errcode).map(drop)
}

/// Why an operation gives nothing out, and how it says so.
#[derive(Clone, Copy)]
struct Refusal {
    operation: &'static str,
    reason: &'static str,
    status: u16,
    errcode: &'static str,
}

impl Case for Refusal {
    fn label(&self) -> String {
        format!("{}, {}", self.operation, self.reason)
    }
}

fn refusals() -> impl Iterator<Item = Refusal> {
    let operations = ["getContent", "getContentOverrideName", "getContentThumbnail"];
    let of_all = operations.into_iter().flat_map(|operation| {
        [("huge", 502, "M_TOO_LARGE"), ("pending", 504, "M_NOT_YET_UPLOADED")]
            .map(|(reason, status, errcode)| Refusal { operation, reason, status, errcode })
    });
    let image = Refusal {
        operation: "getContentThumbnail",
        reason: "many pixels",
        status: 413,
        errcode: "M_TOO_LARGE",
    };
    of_all.chain([image])
}

fn must_be_an_image(answer: &Answer) -> Verdict {
    let is_image = image::load_from_memory(answer.body()).is_ok();
    answer.must(is_image, "an image", || format!("{} bytes", answer.body().len()))
}
