//! The paths of media that ask for no access token: `client-server-api/#content-repo-client-behaviour`

use serde_json::Value;
use suite_attribute::conformance;

use super::content_repository::{Media, file_name, must_be_named, upload_call};
use super::thumbnails::{moving_gif, must_be_inline, pictures};
use crate::{
    cast::{Answer, Homeserver, encoded},
    path,
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

fn must_be_an_image(answer: &Answer) -> Verdict {
    let is_image = image::load_from_memory(answer.body()).is_ok();
    answer.must(is_image, "an image", || format!("{} bytes", answer.body().len()))
}
