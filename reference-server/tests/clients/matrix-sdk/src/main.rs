//! Two people use matrix-sdk against a homeserver that is up: encrypted chat, verification, backup, media, spaces, threads.
//!
//!     matrix-sdk-chat http://127.0.0.1:8008
//!
//! Registration with the dummy stage has to be open. Ends with 0 when everything worked; the first thing that did not is told.

mod person;
mod verification;

use anyhow::{Context, Result, ensure};
use matrix_sdk::attachment::AttachmentConfig;
use matrix_sdk::room::ListThreadsOptions;
use matrix_sdk::ruma::api::client::room::create_room::v3::{CreationContent, Request as NewRoom, RoomPreset};
use matrix_sdk::ruma::api::client::space::get_hierarchy;
use matrix_sdk::ruma::events::relation::Thread;
use matrix_sdk::ruma::events::room::encryption::RoomEncryptionEventContent;
use matrix_sdk::ruma::events::room::message::{MessageType, Relation, RoomMessageEventContent};
use matrix_sdk::ruma::events::space::child::SpaceChildEventContent;
use matrix_sdk::ruma::events::{EmptyStateKey, InitialStateEvent};
use matrix_sdk::ruma::room::RoomType;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedEventId, OwnedRoomId};

use self::person::{Person, until};

#[tokio::main]
async fn main() -> Result<()> {
    let homeserver =
        std::env::args().nth(1).context("name the homeserver: matrix-sdk-chat http://127.0.0.1:8008")?;
    let alice = Person::arrives(&homeserver, "alice").await?;
    let bob = Person::arrives(&homeserver, "bob").await?;
    told("arrived: registered, logged in, cross-signing set up");
    let (room, message) = encrypted_chat(&alice, &bob).await?;
    told("encrypted chat: read in both directions");
    verification::by_emoji(&alice, &bob).await?;
    told("verification: the same emoji, both users verified");
    backup(&homeserver, &alice, &room, &message).await?;
    told("key backup: a new device with the recovery key reads what was said before it");
    media(&alice, &bob, &room).await?;
    told("media: encrypted file uploaded, downloaded, decrypted");
    spaces(&alice, &room).await?;
    told("spaces: hierarchy shown");
    threads(&alice, &bob).await?;
    told("threads: replies and roots listed");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what has worked is what the program is for")]
fn told(what: &str) {
    println!("{what}");
}

/// A room that is encrypted from its first moment, and a message in it.
async fn encrypted_chat(alice: &Person, bob: &Person) -> Result<(OwnedRoomId, OwnedEventId)> {
    let encryption = RoomEncryptionEventContent::with_recommended_defaults();
    let mut order = NewRoom::new();
    order.name = Some("Secret".to_owned());
    order.invite = vec![bob.id()];
    order.initial_state = vec![InitialStateEvent::new(EmptyStateKey, encryption).to_raw_any()];
    let room = alice.client.create_room(order).await.context("an encrypted room")?.room_id().to_owned();
    until("bob is invited", &[bob], || !bob.client.invited_rooms().is_empty()).await?;
    bob.client.join_room_by_id(&room).await.context("bob's join")?;
    let both = || {
        [alice, bob]
            .iter()
            .all(|person| person.joined(&room).is_ok_and(|room| room.joined_members_count() == 2))
    };
    until("both are there", &[alice, bob], both).await?;

    let message = alice.say(&room, RoomMessageEventContent::text_plain("hello, bob")).await?;
    until("bob reads alice", &[bob, alice], || bob.has_decrypted("hello, bob")).await?;
    bob.say(&room, RoomMessageEventContent::text_plain("hello, alice")).await?;
    until("alice reads bob", &[alice, bob], || alice.has_decrypted("hello, alice")).await?;
    Ok((room, message))
}

/// Backs the keys up, and has another device of the same user read with them.
async fn backup(homeserver: &str, alice: &Person, room: &OwnedRoomId, message: &OwnedEventId) -> Result<()> {
    let recovery = alice.client.encryption().recovery();
    let key = recovery.enable().wait_for_backups_to_upload().await.context("secret storage and backup")?;
    ensure!(alice.client.encryption().backups().are_enabled().await, "the backup is not used");

    let tablet = alice.logs_in(homeserver).await?;
    tablet.sync().await?;
    tablet.client.encryption().recovery().recover(&key).await.context("the recovery key")?;
    tablet
        .client
        .encryption()
        .backups()
        .download_room_keys_for_room(room)
        .await
        .context("keys of the backup")?;
    let event = tablet.joined(room)?.event(message, None).await.context("the first message")?;
    let content: serde_json::Value = event.raw().deserialize_as_unchecked()?;
    ensure!(event.encryption_info().is_some(), "it was not decrypted: {content}");
    ensure!(content["content"]["body"] == "hello, bob", "it says something else: {content}");
    Ok(())
}

async fn media(alice: &Person, bob: &Person, room: &OwnedRoomId) -> Result<()> {
    let file: Vec<u8> = (0..100_000_u32).map(|byte| (byte % 251) as u8).collect();
    let config = AttachmentConfig::new();
    let sending = alice.joined(room)?;
    sending
        .send_attachment("secret.bin", &mime::APPLICATION_OCTET_STREAM, file.clone(), config)
        .await
        .context("a file")?;
    until("bob has the file", &[bob, alice], || bob.file().is_some()).await?;
    let MessageType::File(received) = bob.file().context("a file")? else {
        unreachable!("only files are kept as such")
    };
    ensure!(
        matches!(received.source, matrix_sdk::ruma::events::room::MediaSource::Encrypted(_)),
        "the file is not encrypted"
    );
    let downloaded = bob.client.media().get_file(&received, false).await.context("the download")?;
    ensure!(downloaded.as_ref() == Some(&file), "another file came back");
    Ok(())
}

async fn spaces(alice: &Person, room: &OwnedRoomId) -> Result<()> {
    let mut creation = CreationContent::new();
    creation.room_type = Some(RoomType::Space);
    let mut order = NewRoom::new();
    order.name = Some("Space".to_owned());
    order.creation_content = Some(Raw::new(&creation)?);
    let space = alice.client.create_room(order).await.context("a space")?;
    let via = vec![alice.id().server_name().to_owned()];
    space.send_state_event_for_key(room, SpaceChildEventContent::new(via)).await.context("a child")?;
    let hierarchy = alice.client.send(get_hierarchy::v1::Request::new(space.room_id().to_owned())).await?;
    let shown: Vec<_> = hierarchy.rooms.iter().map(|entry| entry.summary.room_id.clone()).collect();
    ensure!(shown == [space.room_id().to_owned(), room.clone()], "the hierarchy shows {shown:?}");
    Ok(())
}

async fn threads(alice: &Person, bob: &Person) -> Result<()> {
    let mut order = NewRoom::new();
    order.preset = Some(RoomPreset::PublicChat);
    let room = alice.client.create_room(order).await.context("a public room")?.room_id().to_owned();
    bob.client.join_room_by_id(&room).await.context("bob's join")?;
    until("both know the room", &[alice, bob], || alice.joined(&room).is_ok() && bob.joined(&room).is_ok())
        .await?;

    let root = alice.say(&room, RoomMessageEventContent::text_plain("a thread begins")).await?;
    let mut reply = RoomMessageEventContent::text_plain("and goes on");
    reply.relates_to = Some(Relation::Thread(Thread::plain(root.clone(), root.clone())));
    let reply = bob.say(&room, reply).await?;

    let relations = alice.joined(&room)?.relations(root.clone(), Default::default()).await?;
    let found: Vec<_> = relations.chunk.iter().filter_map(|event| event.event_id()).collect();
    ensure!(found == [reply], "the relations of the root are {found:?}");
    let threads = alice.joined(&room)?.list_threads(ListThreadsOptions::default()).await?;
    let roots: Vec<_> = threads.chunk.iter().filter_map(|event| event.event_id()).collect();
    ensure!(roots == [root], "the roots are {roots:?}");
    Ok(())
}
