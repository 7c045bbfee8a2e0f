//! Reading what is there: history, state, members, and what has come since.

use serde_json::json;

use super::{Turn, nowhere};
use crate::{
    connection::Problem,
    message,
    population::Room,
    request,
    sync::{Event, Looks, Timeline, scan},
};

/// How many events a client reads back at once.
const PAGE: u32 = 30;

impl Turn<'_> {
    pub(super) async fn messages(&mut self) {
        self.read_room(&format!("messages?dir=b&limit={PAGE}")).await;
    }

    pub(super) async fn state(&mut self) {
        self.read_room("state").await;
    }

    pub(super) async fn members(&mut self) {
        self.read_room("members?membership=join").await;
    }

    pub(super) async fn search(&mut self) {
        let Some((_, room)) = self.room() else { return self.fails(&nowhere()) };
        let criteria = json!({
            "search_term": message::word(self.chance(6)),
            "filter": {"rooms": [room.id], "limit": 10},
            "order_by": "recent",
        });
        let body = json!({"search_categories": {"room_events": criteria}});
        let search = request::post("/_matrix/client/v3/search", Some(&self.user().bearer), &body);
        self.measure(search).await;
    }

    async fn read_room(&mut self, what: &str) {
        let Some((_, room)) = self.room() else { return self.fails(&nowhere()) };
        let path = format!("/_matrix/client/v3/rooms/{}/{what}", room.segment);
        let read = request::get(&path, Some(&self.user().bearer));
        self.measure(read).await;
    }

    pub(super) async fn incremental_sync(&mut self) {
        let since = request::segment(&self.user().since());
        let path = format!("/_matrix/client/v3/sync?timeout=0&since={since}");
        let sync = request::get(&path, Some(&self.user().bearer));
        self.measure(sync).await;
    }

    pub(super) async fn join(&mut self) {
        // Whoever made a lobby stays there: a room that everybody has left can be joined no more.
        let is_anothers = |room: &Room| room.maker != self.place;
        let Some(room) = self.lobby(is_anothers).or_else(|| self.lobby(|_| true)) else {
            return self.fails(&nowhere());
        };
        let leaves = is_anothers(room);
        let leave = format!("/_matrix/client/v3/rooms/{}/leave", room.segment);
        let join = request::post(
            &format!("/_matrix/client/v3/join/{}", room.segment),
            Some(&self.user().bearer),
            &json!({}),
        );
        if self.measure(join).await.is_some() && leaves {
            let leave = request::post(&leave, Some(&self.user().bearer), &json!({}));
            self.follow("leave", leave).await;
        }
    }
}

/// Checks that a sync without a beginning has everything that it should have.
///
/// # Errors
/// When it is no sync response, or lacks a room, or has a room without a single event.
pub(super) fn is_complete(body: &[u8], rooms: usize) -> Result<(), Problem> {
    #[derive(Default)]
    struct Counts {
        rooms: usize,
        empty: usize,
    }
    impl Looks for Counts {
        fn timeline(&mut self, _: &str, timeline: &Timeline<'_>) {
            self.rooms += 1;
            self.empty += usize::from(timeline.events.is_empty());
        }

        fn to_device(&mut self, _: &Event<'_>) {}
    }
    let mut counts = Counts::default();
    scan(body, &mut counts).map_err(|error| Problem::Malformed(error.to_string()))?;
    if counts.rooms < rooms || counts.empty > 0 {
        let words = format!("{} of {rooms} rooms, {} of them without events", counts.rooms, counts.empty);
        return Err(Problem::Incomplete(words));
    }
    Ok(())
}
