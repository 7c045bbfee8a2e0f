//! `client-server-api/#standard-error-response`: the codes of the examples that the text gives with its operations, where the
//! meaning of the code alone would leave the choice to the server.

use serde_json::json;
use suite_attribute::conformance;

use super::content_repository::upload;
use super::thumbnails::thumbnail;
use crate::{
    cast::{Answer, Homeserver, User},
    path,
    registry::Case,
    verdict::{Stop, Verdict},
};

/// The server refuses what the text has an example for as in the example.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = May,
    severity = Cosmetic,
    each = examples
)]
async fn example_is_followed(hs: &Homeserver, example: Example) -> Verdict {
    let [alice] = hs.users().await?;
    let Example { status, errcode, .. } = example;
    example.put(&alice).await?.must_refuse(status, errcode).map(drop)
}

/// A request that is refused, and how.
#[derive(Clone, Copy)]
struct Example {
    operation: &'static str,
    status: u16,
    errcode: &'static str,
}

impl Case for Example {
    fn label(&self) -> String {
        format!("{} {} {}", self.operation, self.status, self.errcode)
    }
}

fn examples() -> impl Iterator<Item = Example> {
    let examples = [
        ("forgetRoom", 400, "M_UNKNOWN"),
        ("getContentThumbnail", 400, "M_UNKNOWN"),
        ("getContentThumbnailAuthed", 400, "M_UNKNOWN"),
        ("getLocalAliases", 400, "M_INVALID_PARAM"),
        ("getMutualRooms", 400, "M_INVALID_PARAM"),
        ("getProtocolMetadata", 404, "M_NOT_FOUND"),
        ("getRelatingEvents", 404, "M_NOT_FOUND"),
        ("getRelatingEventsWithRelType", 404, "M_NOT_FOUND"),
        ("getRelatingEventsWithRelTypeAndEventType", 404, "M_NOT_FOUND"),
        ("getSpaceHierarchy", 400, "M_INVALID_PARAM"),
        ("getThreadRoots", 400, "M_INVALID_PARAM"),
        ("login", 400, "M_UNKNOWN"),
        ("postPusher", 400, "M_MISSING_PARAM"),
        ("postReceipt", 400, "M_INVALID_PARAM"),
        ("setPushRule", 400, "M_UNKNOWN"),
        ("setRoomAlias", 409, "M_UNKNOWN"),
    ];
    examples.into_iter().map(|(operation, status, errcode)| Example { operation, status, errcode })
}

impl Example {
    async fn put(self, alice: &User) -> Result<Answer, Stop> {
        let hs = alice.homeserver();
        let room = alice.create_room(json!({})).await?;
        let relations = path!("/_matrix/client/v1/rooms/{}/relations/{}", room, "$nothing-has-this-id");
        let call = match self.operation {
            "forgetRoom" => alice.forget(&room),
            "getContentThumbnail" => {
                let media = upload(alice, "image/png", b"no image".to_vec()).await?;
                let older = path!("/_matrix/media/v3/{}/{}/{}", "download", media.server, media.id);
                if !hs.get(&older).answer().await?.status().is_success() {
                    return Err(Stop::NotApplicable("the older paths are frozen".to_owned()));
                }
                hs.get(older.replace("/download/", "/thumbnail/")).query("width", "32").query("height", "32")
            }
            "getContentThumbnailAuthed" => {
                let media = upload(alice, "image/png", b"no image".to_vec()).await?;
                thumbnail(alice, &media, 32, 32, "scale")
            }
            "getLocalAliases" => alice.get(path!("/_matrix/client/v3/rooms/{}/aliases", "no-sigil")),
            "getProtocolMetadata" => {
                alice.get(path!("/_matrix/client/v3/thirdparty/protocol/{}", "org.determinant.pigeons"))
            }
            "getRelatingEvents" => alice.get(relations),
            "getRelatingEventsWithRelType" => alice.get(format!("{relations}/m.reference")),
            "getRelatingEventsWithRelTypeAndEventType" => {
                alice.get(format!("{relations}/m.reference/m.room.message"))
            }
            "getMutualRooms" => alice.get("/_matrix/client/v1/mutual_rooms").query("user_id", alice.id()),
            "getSpaceHierarchy" => {
                alice.get(path!("/_matrix/client/v1/rooms/{}/hierarchy", room)).query("from", "never-given")
            }
            "getThreadRoots" => {
                alice.get(path!("/_matrix/client/v1/rooms/{}/threads", room)).query("from", "never-given")
            }
            "login" => hs.post("/_matrix/client/v3/login", json!({"type": "org.determinant.unknown"})),
            "postPusher" => {
                let pusher = json!({"kind": "http", "app_id": "org.determinant", "pushkey": "determinant"});
                alice.post("/_matrix/client/v3/pushers/set", pusher)
            }
            "postReceipt" => {
                let event_id = alice.say(&room, "read me").await?;
                let target = path!("/_matrix/client/v3/rooms/{}/receipt/{}/{}", room, "m.read", event_id);
                alice.post(target, json!({"thread_id": ""}))
            }
            "setPushRule" => {
                let rule = path!("/_matrix/client/v3/pushrules/global/content/{}", "new");
                alice.put(rule, json!({"pattern": "new", "actions": []})).query("before", "unknown")
            }
            "setRoomAlias" => {
                let alias = format!("#{}-taken:{}", alice.localpart(), hs.name());
                alice.name_room(&alias, &room).await?;
                let other = alice.create_room(json!({})).await?;
                alice.name_room(&alias, &other)
            }
            unknown => return Err(Stop::Fault(format!("no request for {unknown}"))),
        };
        call.answer().await
    }
}
