//! `client-server-api/#content-repo-security-considerations`

use serde_json::json;
use suite_attribute::conformance;

use super::content_repository::{Media, create, upload, upload_call, upload_to};
use super::thumbnails::{png, thumbnail};
use crate::{
    cast::{Homeserver, encoded},
    verdict::{Stop, Verdict, must},
};

/// Media ids are made of letters, digits, underscores and hyphens only.
#[conformance(
    spec = "client-server-api/#matrix-content-mxc-uris",
    level = Must,
    severity = Security,
    each = ways_to_an_id,
    proves = ["client-server-api/matrix-content-mxc-uris/1"]
)]
async fn media_id_keeps_its_grammar(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let media = match way {
        "upload" => upload(&alice, "text/plain", b"?".to_vec()).await?,
        _ => create(&alice).await?,
    };
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let keeps = !media.id.is_empty() && media.id.bytes().all(permitted);
    must(keeps && media.server == hs.name(), "a media id of the server", || {
        format!("mxc://{}/{}", media.server, media.id)
    })
}

fn ways_to_an_id() -> [&'static str; 2] {
    ["upload", "create"]
}

/// A content URI that is none is refused, whatever it could lead to.
#[conformance(
    spec = "client-server-api/#content-repo-security-considerations",
    level = Must,
    severity = Security,
    since = "v1.11",
    each = impossible_media,
    proves = ["client-server-api/content-repo-security-considerations/1"]
)]
async fn impossible_media_are_refused(hs: &Homeserver, place: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let own = encoded(hs.name());
    let place = place.replace("{own}", &own);
    for target in [
        format!("/_matrix/client/v1/media/download/{place}"),
        format!("/_matrix/client/v1/media/thumbnail/{place}?width=8&height=8"),
    ] {
        let answer = alice.get(target).answer().await?;
        answer.must(!answer.status().is_success(), "an error", || answer.status().to_string())?;
    }
    Ok(())
}

fn impossible_media() -> [&'static str; 6] {
    [
        "{own}/..%2F..%2Fsecret",
        "{own}/%2Fetc%2Fpasswd",
        "{own}/a.b",
        "{own}/a%20b",
        "..%2F..%2Fetc/passwd",
        "not%20a%20server/media",
    ]
}

/// The most files that a user is given to find out whether there is a limit.
const BEARABLE_FILES: usize = 72;

/// Whoever has as many files as a user may have can neither upload another nor reserve a place for one.
#[conformance(
    spec = "client-server-api/#content-repo-security-considerations",
    level = Should,
    severity = Security,
    since = "v1.7"
)]
async fn number_of_files_is_limited(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    for _ in 0..BEARABLE_FILES {
        let another = || upload_call(&alice, "text/plain", b"?".to_vec());
        let answer = another().answer().await?;
        if answer.status().is_success() {
            continue;
        }
        answer.must_refuse(403, "M_FORBIDDEN")?;
        // What is reserved is worth nothing without its content.
        let reserved = alice.post("/_matrix/media/v1/create", json!({})).answer().await?;
        let refusal = match reserved.status().is_success() {
            true => upload_to(&alice, &Media::of(&reserved)?, &b"?"[..]).answer().await?,
            false => reserved,
        };
        return refusal.must_refuse(403, "M_FORBIDDEN").map(drop);
    }
    Err(Stop::NotApplicable(format!("a user may have more than {BEARABLE_FILES} files")))
}

/// The most media ids that a user reserves to find out whether there is a limit.
const BEARABLE_RESERVATIONS: usize = 48;

/// Whoever has reserved many media ids without using them is refused another for the time being.
#[conformance(
    spec = "client-server-api/#post_matrixmediav1create",
    level = Should,
    severity = Security,
    since = "v1.7",
    proves = ["client-server-api/post_matrixmediav1create/4", "client-server-api/post_matrixmediav1create/5"]
)]
async fn number_of_pending_uploads_is_limited(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let reserve = || alice.post("/_matrix/media/v1/create", json!({})).impatient();
    for _ in 0..BEARABLE_RESERVATIONS {
        let answer = reserve().answer().await?;
        if answer.status().is_success() {
            continue;
        }
        answer.must_refuse(429, "M_LIMIT_EXCEEDED")?;
        // Nobody else has to wait.
        let [bob] = hs.users().await?;
        return create(&bob).await.map(drop);
    }
    Err(Stop::NotApplicable(format!("a user may have more than {BEARABLE_RESERVATIONS} pending uploads")))
}

/// No thumbnail is made of an image that would take gigabytes of memory.
#[conformance(
    spec = "client-server-api/#content-repo-security-considerations",
    level = Should,
    severity = Security,
    since = "v1.11"
)]
async fn huge_image_has_no_thumbnail(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let media = upload(&alice, "image/png", huge_png()?).await?;
    thumbnail(&alice, &media, 32, 32, "scale").must_refuse(413, "M_TOO_LARGE").await.map(drop)
}

/// A small file that says of itself that it is an image of 100,000 by 100,000 pixels.
pub(super) fn huge_png() -> Result<Vec<u8>, Stop> {
    // The header stands behind the signature: its length, its name, width and height, five bytes more, and a checksum.
    let mut bytes = png(1, 1)?;
    let header = bytes.get_mut(12..33).ok_or_else(|| Stop::Fault("a PNG without a header".to_owned()))?;
    header[4..8].copy_from_slice(&100_000_u32.to_be_bytes());
    header[8..12].copy_from_slice(&100_000_u32.to_be_bytes());
    let checksum = crc32(&header[..17]);
    header[17..].copy_from_slice(&checksum.to_be_bytes());
    Ok(bytes)
}

/// The checksum of PNG (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shift))
}
