//! The content repository: bytes up, bytes down.

use std::sync::PoisonError;

use bytes::Bytes;
use serde::Deserialize;

use super::Turn;
use crate::{message, request};

/// Bytes of an upload where the profile does not say it: a photograph as clients scale it.
const USUAL_BYTES: usize = 200_000;
/// How many uploads are remembered for downloading.
const REMEMBERED: usize = 64;

impl Turn<'_> {
    pub(super) async fn upload(&mut self) {
        #[derive(Deserialize)]
        struct Uploaded {
            content_uri: String,
        }
        let bytes = message::opaque(self.chance(3), self.deed.action.bytes.unwrap_or(USUAL_BYTES));
        let upload = request::post_bytes(
            "/_matrix/media/v3/upload",
            &self.user().bearer,
            Bytes::from(bytes.into_bytes()),
        );
        let Some(answer) = self.measure(upload).await else { return };
        let Ok(Uploaded { content_uri }) = serde_json::from_slice(&answer) else { return };
        let Some((server, id)) = content_uri.strip_prefix("mxc://").and_then(|uri| uri.split_once('/'))
        else {
            return;
        };
        let path = format!("{}/{}", request::segment(server), request::segment(id));
        let mut uploaded = self.traffic.uploaded.lock().unwrap_or_else(PoisonError::into_inner);
        if uploaded.len() < REMEMBERED {
            uploaded.push(path);
        } else {
            uploaded[usize::try_from(self.number).unwrap_or_default() % REMEMBERED] = path;
        }
    }

    pub(super) async fn download(&mut self) {
        let chosen = {
            let uploaded = self.traffic.uploaded.lock().unwrap_or_else(PoisonError::into_inner);
            let place = usize::try_from(self.chance(5)).unwrap_or_default() % uploaded.len().max(1);
            uploaded.get(place).cloned()
        };
        let Some(path) = chosen else {
            return self.recorder().count("downloads before the first upload left out", 1);
        };
        let download =
            request::get(&format!("/_matrix/client/v1/media/download/{path}"), Some(&self.user().bearer));
        if let Some(body) = self.measure(download).await {
            self.recorder().count("bytes of media received", body.len() as u64);
        }
    }
}
