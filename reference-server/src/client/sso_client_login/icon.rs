//! The pictures of identity providers: media that are shown before anybody has logged in, so that no freeze keeps them from
//! the paths that ask for no access token (client-server-api/#content-repo-client-behaviour).

use protocol::base64;
use sha2::{Digest, Sha256};

use crate::clock::now_ms;
use crate::config::IdentityProvider;
use crate::homeserver::Homeserver;
use crate::server::StartError;
use crate::store::media::{self, Description, Media};

/// Whether a media id is that of an icon.
pub(in crate::client) fn is_icon(server: &Homeserver, media_id: &str) -> bool {
    server
        .config
        .identity_providers
        .iter()
        .any(|provider| self::media_id(provider).as_deref() == Some(media_id))
}

/// Where clients find the icon of a provider that has one.
pub(super) fn uri(server: &Homeserver, provider: &IdentityProvider) -> Option<String> {
    Some(format!("mxc://{}/{}", server.name(), media_id(provider)?))
}

/// Keeps the icons like what users upload.
pub(crate) async fn keep_icons(server: &Homeserver) -> Result<(), StartError> {
    for provider in &server.config.identity_providers {
        let (Some(icon), Some(media_id)) = (&provider.icon, media_id(provider)) else { continue };
        let (content_type, content) = read(icon).ok_or_else(|| StartError::Icon(provider.id.clone()))?;
        server.contents.put(media_id.clone(), content.into()).await?;
        let content = Some(Description { content_type, file_name: None });
        let media = Media { owner: server.name().to_owned(), created_ms: now_ms(), content };
        let add = move |c: &rusqlite::Connection| match media::find(c, &media_id)? {
            Some(_) => Ok(()),
            None => media::add(c, &media_id, &media),
        };
        server.store.write(add).await?;
    }
    Ok(())
}

/// The same at every start, and another for another picture.
fn media_id(provider: &IdentityProvider) -> Option<String> {
    provider.icon.as_ref().map(|icon| format!("icon-{}", base64::encode_url_safe(Sha256::digest(icon))))
}

/// The media type and the bytes of a data URL (RFC 2397).
fn read(url: &str) -> Option<(String, Vec<u8>)> {
    let (content_type, content) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some((content_type.to_owned(), base64::decode(content).ok()?))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_data_url_is_a_type_and_bytes() {
        assert_eq!(read("data:image/png;base64,AQI="), Some(("image/png".to_owned(), vec![1, 2])));
        assert_eq!(read("https://example.org/icon.png"), None);
        assert_eq!(read("data:image/png;base64,?"), None);
    }
}
