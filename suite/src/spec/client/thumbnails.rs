//! `client-server-api/#thumbnails`

use std::io::Cursor;

use image::{AnimationDecoder, DynamicImage, ImageFormat, ImageReader};
use suite_attribute::conformance;

use super::content_repository::{Media, bearable_limit, upload};
use crate::{
    cast::{Answer, Call, Homeserver, User},
    registry::Case,
    verdict::{Stop, Verdict},
};

/// A thumbnail is not smaller than was asked for and not larger than the image; cropped, it has the aspect that was asked
/// for, and scaled, that of the image.
#[conformance(
    spec = "client-server-api/#thumbnails",
    level = Must,
    severity = Usability,
    since = "v1.11",
    each = methods,
    proves = ["client-server-api/thumbnails/4", "client-server-api/thumbnails/8"]
)]
async fn thumbnail_is_as_large_as_asked_for(hs: &Homeserver, method: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", png(400, 200)?).await?;

    let answer = thumbnail(&alice, &media, 96, 96, method).await?;
    let (width, height) = dimensions(&answer)?;
    let is_right = match method {
        "crop" => width == height && (96..=200).contains(&height),
        // The text wants a scaled thumbnail both within the size and not below it: either is right.
        _ => width.abs_diff(2 * height) <= 2 && width >= 96 && height <= 200,
    };
    answer.must(is_right, "a thumbnail of 96 by 96 pixels or more, in the aspect of the method", || {
        format!("{width} by {height}")
    })
}

fn methods() -> [&'static str; 2] {
    ["crop", "scale"]
}

/// No thumbnail is larger than its image.
#[conformance(
    spec = "client-server-api/#thumbnails",
    level = Must,
    severity = Usability,
    since = "v1.11",
    each = methods,
    proves = ["client-server-api/thumbnails/7"]
)]
async fn thumbnail_is_not_blown_up(hs: &Homeserver, method: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", png(20, 10)?).await?;

    let answer = thumbnail(&alice, &media, 96, 96, method).await?;
    let (width, height) = dimensions(&answer)?;
    answer.must(width <= 20 && height <= 10, "20 by 10 pixels at most", || format!("{width} by {height}"))
}

/// A thumbnail does not move where the client asks for one that does not.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid",
    level = Must,
    severity = Usability,
    since = "v1.11",
    proves = ["client-server-api/get_matrixclientv1mediathumbnailservernamemediaid/3"]
)]
async fn thumbnail_stands_still_on_request(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/gif", moving_gif()?).await?;

    let answer = thumbnail(&alice, &media, 32, 32, "scale").query("animated", "false").await?;
    let pictures = pictures(&answer)?;
    answer.must(pictures == 1, "one picture", || format!("{pictures} pictures"))
}

/// A thumbnail is shown inside of the page.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid",
    level = Must,
    severity = Usability,
    since = "v1.12",
    each = methods,
    proves = ["client-server-api/get_matrixclientv1mediathumbnailservernamemediaid/7"]
)]
async fn thumbnail_is_inline(hs: &Homeserver, method: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", png(40, 20)?).await?;
    must_be_inline(&thumbnail(&alice, &media, 8, 8, method).await?)
}

pub(super) fn must_be_inline(answer: &Answer) -> Verdict {
    let disposition = answer.header("content-disposition").unwrap_or_default();
    let kind = disposition.split(';').next().unwrap_or_default().trim();
    answer.must(kind == "inline", "the disposition inline", || format!("{disposition:?}"))
}

/// A thumbnail of another server's image that is larger than any that may be uploaded is not passed on.
#[conformance(
    spec = "client-server-api/#content-repo-security-considerations",
    level = Should,
    severity = Security,
    since = "v1.11",
    proves = ["client-server-api/content-repo-security-considerations/4"]
)]
async fn huge_thumbnail_of_another_server_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let limit = bearable_limit(&alice).await?;
    let remote = hs.remote().await?;
    // In the end of a PNG nobody looks for anything.
    let mut huge = png(40, 20)?;
    huge.resize(limit + 1, 0);
    remote.hold_media("huge", "image/png", huge);
    let media = Media { server: remote.name().to_owned(), id: "huge".to_owned() };
    thumbnail(&alice, &media, 8, 8, "scale").must_refuse(502, "M_TOO_LARGE").await.map(drop)
}

/// An image that is not larger than the thumbnail is given as it is.
#[conformance(
    spec = "client-server-api/#thumbnails",
    level = Should,
    severity = Usability,
    since = "v1.11",
    each = methods,
    proves = ["client-server-api/thumbnails/5"]
)]
async fn small_image_is_its_own_thumbnail(hs: &Homeserver, method: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let original = png(20, 10)?;
    let media = upload(&alice, "image/png", original.clone()).await?;
    let answer = thumbnail(&alice, &media, 96, 96, method).await?;
    answer.must(answer.body() == original, "the bytes of the image", || {
        format!("{} bytes, not {}", answer.body().len(), original.len())
    })
}

/// Thumbnails of the sizes and by the methods that the text lists are as large as their names say.
#[conformance(
    spec = "client-server-api/#thumbnails",
    level = Should,
    severity = Usability,
    since = "v1.11",
    each = listed_sizes,
    proves = ["client-server-api/thumbnails/6"]
)]
async fn listed_sizes_are_made(hs: &Homeserver, size: Size) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", png(1_600, 1_200)?).await?;
    let answer = thumbnail(&alice, &media, size.width, size.height, size.method).await?;
    let came = dimensions(&answer)?;
    answer.must(
        came == (size.width, size.height),
        format!("{} by {} pixels", size.width, size.height),
        || format!("{} by {}", came.0, came.1),
    )
}

/// A size of thumbnails and how it is reached.
#[derive(Clone, Copy)]
struct Size {
    width: u32,
    height: u32,
    method: &'static str,
}

impl Case for Size {
    fn label(&self) -> String {
        format!("{}x{}, {}", self.width, self.height, self.method)
    }
}

fn listed_sizes() -> impl Iterator<Item = Size> {
    let sizes =
        [(32, 32, "crop"), (96, 96, "crop"), (320, 240, "scale"), (640, 480, "scale"), (800, 600, "scale")];
    sizes.into_iter().map(|(width, height, method)| Size { width, height, method })
}

/// A moving image has a thumbnail that stands still where nobody asks for another.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid",
    level = Should,
    severity = Usability,
    since = "v1.11",
    proves = ["client-server-api/get_matrixclientv1mediathumbnailservernamemediaid/4"]
)]
async fn thumbnail_stands_still_unless_asked_to_move(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/gif", moving_gif()?).await?;
    let answer = thumbnail(&alice, &media, 32, 32, "scale").await?;
    let pictures = pictures(&answer)?;
    answer.must(pictures == 1, "one picture", || format!("{pictures} pictures"))
}

/// A moving image has a moving thumbnail where the client asks for one.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid",
    level = Should,
    severity = Usability,
    since = "v1.11",
    proves = ["client-server-api/get_matrixclientv1mediathumbnailservernamemediaid/2"]
)]
async fn thumbnail_moves_on_request(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/gif", moving_gif()?).await?;
    let answer = thumbnail(&alice, &media, 32, 32, "scale").query("animated", "true").await?;
    let pictures = pictures(&answer)?;
    answer.must(pictures > 1, "several pictures", || format!("{pictures} pictures"))
}

/// What does not move has a thumbnail that stands still, even where the client asks for one that moves.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid",
    level = Should,
    severity = Usability,
    since = "v1.11",
    proves = ["client-server-api/get_matrixclientv1mediathumbnailservernamemediaid/6"]
)]
async fn still_image_has_a_still_thumbnail(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", png(64, 48)?).await?;
    let answer = thumbnail(&alice, &media, 32, 32, "scale").query("animated", "true").await?;
    let pictures = pictures(&answer)?;
    answer.must(pictures == 1, "one picture", || format!("{pictures} pictures"))
}

/// Thumbnails have a type that may be shown inside of a page.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid",
    level = Should,
    severity = Security,
    since = "v1.12",
    each = types_of_images,
    proves = ["client-server-api/get_matrixclientv1mediathumbnailservernamemediaid/8"]
)]
async fn thumbnail_may_be_shown_inline(hs: &Homeserver, kind: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let bytes = if kind == "image/gif" { moving_gif()? } else { png(64, 48)? };
    let media = upload(&alice, kind, bytes).await?;
    let answer = thumbnail(&alice, &media, 32, 32, "scale").await?;
    must_be_an_image_to_show(&answer)
}

/// Requires a type of images that may be shown inside of a page: `client-server-api/#serving-inline-content`.
pub(super) fn must_be_an_image_to_show(answer: &Answer) -> Verdict {
    const SHOWN: [&str; 6] =
        ["image/jpeg", "image/gif", "image/png", "image/apng", "image/webp", "image/avif"];
    let came = answer.header("content-type").unwrap_or_default();
    answer.must(SHOWN.contains(&came), "one of the listed types of images", || came.to_owned())
}

fn types_of_images() -> [&'static str; 2] {
    ["image/gif", "image/png"]
}

/// What is no image has no thumbnail.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid",
    level = Must,
    severity = Interop,
    since = "v1.11"
)]
async fn text_has_no_thumbnail(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "text/plain", b"no image".to_vec()).await?;
    thumbnail(&alice, &media, 32, 32, "scale").must_be_refused().await.map(drop)
}

pub(super) fn thumbnail(user: &User, media: &Media, width: u32, height: u32, method: &str) -> Call {
    user.get(media.path("thumbnail"))
        .query("width", width.to_string())
        .query("height", height.to_string())
        .query("method", method)
}

/// A picture with something in it.
fn picture(width: u32, height: u32, shade: u8) -> DynamicImage {
    let pixel = |x: u32, y: u32| image::Rgb([shade, (x % 256) as u8, (y % 256) as u8]);
    DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, pixel))
}

pub(in crate::spec) fn png(width: u32, height: u32) -> Result<Vec<u8>, Stop> {
    let mut bytes = Cursor::new(Vec::new());
    picture(width, height, 0).write_to(&mut bytes, ImageFormat::Png).map_err(unmade)?;
    Ok(bytes.into_inner())
}

pub(in crate::spec) fn moving_gif() -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for shade in [0, 120, 250] {
            let frame = image::Frame::new(picture(64, 48, shade).to_rgba8());
            encoder.encode_frame(frame).map_err(unmade)?;
        }
    }
    Ok(bytes)
}

fn unmade(error: image::ImageError) -> Stop {
    Stop::Fault(format!("an image cannot be made: {error}"))
}

fn dimensions(answer: &Answer) -> Result<(u32, u32), Stop> {
    let reader = ImageReader::new(Cursor::new(answer.body())).with_guessed_format();
    let dimensions = reader.ok().and_then(|reader| reader.into_dimensions().ok());
    answer
        .must(dimensions.is_some(), "an image", || format!("{} bytes of something", answer.body().len()))?;
    Ok(dimensions.unwrap_or_default())
}

/// How many pictures an image consists of.
pub(super) fn pictures(answer: &Answer) -> Result<usize, Stop> {
    let count = pictures_in(answer.body());
    answer.must(count.is_some(), "an image", || format!("{} bytes of something", answer.body().len()))?;
    Ok(count.unwrap_or_default())
}

/// How many pictures these bytes show, where they are an image.
pub(in crate::spec) fn pictures_in(bytes: &[u8]) -> Option<usize> {
    let body = || Cursor::new(bytes);
    match image::guess_format(bytes).ok()? {
        ImageFormat::Gif => {
            image::codecs::gif::GifDecoder::new(body()).ok().map(|decoder| decoder.into_frames().count())
        }
        ImageFormat::WebP => image::codecs::webp::WebPDecoder::new(body())
            .ok()
            .map(|decoder| if decoder.has_animation() { decoder.into_frames().count() } else { 1 }),
        ImageFormat::Png => image::codecs::png::PngDecoder::new(body())
            .ok()
            .and_then(|decoder| decoder.is_apng().ok())
            .map(|moves| if moves { 2 } else { 1 }),
        ImageFormat::Jpeg => Some(1),
        _ => None,
    }
}
