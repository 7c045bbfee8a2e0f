//! Smaller images: client-server-api/#thumbnails.

use std::io::Cursor;

use image::codecs::gif::{GifDecoder, GifEncoder, Repeat};
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::imageops::FilterType;
use image::{AnimationDecoder, DynamicImage, Frame, ImageDecoder, ImageFormat, ImageReader};

use crate::misbehave::{Fault, commits};

/// The most pixels of an image that is looked at: four bytes each.
const MAX_PIXELS: u64 = 50_000_000;

/// The most pixels, and pictures, of an image that is shown moving; each picture costs as much as a still image.
const MAX_MOVING_PIXELS: u64 = 1_000_000;
const MAX_PICTURES: usize = 250;

/// What a client would like to have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// The width in pixels; what comes is not smaller, if the image is not.
    pub(crate) width: u32,
    /// The height in pixels, likewise.
    pub(crate) height: u32,
    /// How the image is brought to that.
    pub(crate) method: Method,
    /// Whether it may move.
    pub(crate) animated: bool,
}

/// How an image is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// To the aspect of the wish; what stands over is cut off.
    Crop,
    /// In its own aspect.
    Scale,
}

/// A thumbnail.
#[derive(Debug)]
pub(crate) struct Thumbnail {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// A name for it.
    pub(crate) file_name: &'static str,
}

/// Why there is no thumbnail.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ThumbnailError {
    /// More pixels than are looked at.
    #[error("the image has more than {MAX_PIXELS} pixels")]
    TooLarge,
    /// Not an image, or not one of a known format.
    #[error("there are thumbnails of PNG, JPEG, GIF and WebP images only")]
    Unreadable,
}

impl From<image::ImageError> for ThumbnailError {
    fn from(_: image::ImageError) -> Self {
        Self::Unreadable
    }
}

/// Makes a thumbnail, never larger than the image. Takes as long as the image is large: not for the threads that
/// serve requests.
pub(crate) fn make(content: &[u8], wish: Wish) -> Result<Thumbnail, ThumbnailError> {
    let reader = || ImageReader::new(Cursor::new(content)).with_guessed_format();
    let format = reader().ok().and_then(|reader| reader.format()).ok_or(ThumbnailError::Unreadable)?;
    let decoder = reader().map_err(|_| ThumbnailError::Unreadable)?.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        return Err(ThumbnailError::TooLarge);
    }
    let may_move = wish.animated || commits(Fault::ThumbnailsAlwaysMove);
    if may_move && format == ImageFormat::Gif && pixels <= MAX_MOVING_PIXELS {
        return animated(content, wish);
    }
    let image = DynamicImage::from_decoder(decoder)?;
    let size = size(width, height, wish);
    let is_given = size == (width, height) && !commits(Fault::SmallImagesRedrawn);
    if is_given && is_still(content, format)? {
        return Ok(Thumbnail::of(format, content.to_vec()));
    }
    encode(&resize(&image, size, wish.method), format)
}

/// The size of the thumbnail of an image: of all that are not smaller than the wish, or are the whole image in one
/// dimension, the smallest.
fn size(width: u32, height: u32, wish: Wish) -> (u32, u32) {
    let (wide, high) = (f64::from(wish.width) / f64::from(width), f64::from(wish.height) / f64::from(height));
    let larger = wide.max(high);
    match wish.method {
        Method::Scale => (part(width, larger.min(1.0)), part(height, larger.min(1.0))),
        // What is smaller is given as it is.
        Method::Crop if wide >= 1.0 && high >= 1.0 => (width, height),
        Method::Crop => {
            let shrink = larger.max(1.0).recip();
            (part(wish.width, shrink).min(width), part(wish.height, shrink).min(height))
        }
    }
}

/// A part of a length, rounded up so that nothing is smaller than it has to be, and nothing vanishes.
fn part(length: u32, factor: f64) -> u32 {
    // A hair is taken off so that what is exact in numbers without end is not rounded up.
    let exact = f64::from(length) * factor - 1e-6;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most `length`, at least 1"
    )]
    let rounded = exact.ceil().max(1.0) as u32;
    rounded.min(length)
}

/// Whether an image does not move.
fn is_still(content: &[u8], format: ImageFormat) -> Result<bool, ThumbnailError> {
    Ok(match format {
        ImageFormat::Png => !PngDecoder::new(Cursor::new(content))?.is_apng()?,
        ImageFormat::WebP => !WebPDecoder::new(Cursor::new(content))?.has_animation(),
        ImageFormat::Gif => false,
        _ => true,
    })
}

fn resize(image: &DynamicImage, (width, height): (u32, u32), method: Method) -> DynamicImage {
    match method {
        Method::Scale => image.resize_exact(width, height, FilterType::Triangle),
        Method::Crop => image.resize_to_fill(width, height, FilterType::Triangle),
    }
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Result<Thumbnail, ThumbnailError> {
    let mut bytes = Cursor::new(Vec::new());
    if format == ImageFormat::Jpeg {
        image.to_rgb8().write_to(&mut bytes, ImageFormat::Jpeg)?;
    } else {
        image.to_rgba8().write_to(&mut bytes, ImageFormat::Png)?;
    }
    let format = if format == ImageFormat::Jpeg { format } else { ImageFormat::Png };
    Ok(Thumbnail::of(format, bytes.into_inner()))
}

fn animated(content: &[u8], wish: Wish) -> Result<Thumbnail, ThumbnailError> {
    let decoder = GifDecoder::new(Cursor::new(content))?;
    let (width, height) = decoder.dimensions();
    let size = size(width, height, wish);
    let mut bytes = Vec::new();
    {
        let mut encoder = GifEncoder::new(&mut bytes);
        encoder.set_repeat(Repeat::Infinite)?;
        for frame in decoder.into_frames().take(MAX_PICTURES) {
            let frame = frame?;
            let delay = frame.delay();
            let picture = resize(&DynamicImage::from(frame.into_buffer()), size, wish.method);
            encoder.encode_frame(Frame::from_parts(picture.to_rgba8(), 0, 0, delay))?;
        }
    }
    Ok(Thumbnail::of(ImageFormat::Gif, bytes))
}

impl Thumbnail {
    fn of(format: ImageFormat, bytes: Vec<u8>) -> Self {
        let (content_type, file_name) = match format {
            ImageFormat::Jpeg => ("image/jpeg", "thumbnail.jpg"),
            ImageFormat::Gif => ("image/gif", "thumbnail.gif"),
            ImageFormat::WebP => ("image/webp", "thumbnail.webp"),
            _ => ("image/png", "thumbnail.png"),
        };
        Self { bytes, content_type, file_name }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat};
    use rstest::rstest;

    use super::{Method, ThumbnailError, Wish, make, size};

    fn wish(width: u32, height: u32, method: Method) -> Wish {
        Wish { width, height, method, animated: false }
    }

    #[rstest]
    #[case(Method::Scale, (400, 200), (100, 100), (200, 100))]
    #[case(Method::Scale, (200, 400), (100, 100), (100, 200))]
    #[case(Method::Scale, (400, 200), (320, 240), (400, 200))]
    #[case(Method::Scale, (50, 20), (100, 100), (50, 20))]
    #[case(Method::Scale, (1000, 1), (10, 1), (1000, 1))]
    #[case(Method::Crop, (400, 200), (100, 100), (100, 100))]
    #[case(Method::Crop, (400, 200), (100, 400), (50, 200))]
    #[case(Method::Crop, (50, 20), (100, 100), (50, 20))]
    #[case(Method::Crop, (50, 20), (40, 40), (20, 20))]
    #[case(Method::Crop, (3, 1000), (1000, 3), (3, 1))]
    fn a_thumbnail_is_no_smaller_than_wished_and_no_larger_than_the_image(
        #[case] method: Method,
        #[case] (width, height): (u32, u32),
        #[case] (wide, high): (u32, u32),
        #[case] expected: (u32, u32),
    ) {
        assert_eq!(size(width, height, wish(wide, high, method)), expected);
    }

    #[test]
    fn formats_keep_what_they_are_good_for() {
        let image = DynamicImage::new_rgb8(40, 30);
        for (format, content_type) in [
            (ImageFormat::Png, "image/png"),
            (ImageFormat::Jpeg, "image/jpeg"),
            (ImageFormat::Gif, "image/png"),
        ] {
            let mut content = Cursor::new(Vec::new());
            image.write_to(&mut content, format).expect("an image");
            let thumbnail = make(content.get_ref(), wish(8, 8, Method::Crop)).expect("a thumbnail");
            assert_eq!(thumbnail.content_type, content_type);
            let made = image::load_from_memory(&thumbnail.bytes).expect("an image");
            assert_eq!((made.width(), made.height()), (8, 8));
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let refused = make(b"not an image", wish(8, 8, Method::Scale)).map(|_| ());
        assert_eq!(refused, Err(ThumbnailError::Unreadable));
    }
}
