//! Rooms: made by their first member, who invites the others where they are private; joined by the others; filled with what
//! was said before the run.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::json;

use super::{Crew, Hears, Order, Population, Room, User, crew::At, members};
use crate::{connection::Problem, message, profile::RoomKind, request};

/// The state event that says that a room has its history.
const COMPLETE: &str = "org.determinant.load.complete";

/// A room that is to be made.
struct Wanted {
    alias: String,
    kind: usize,
    members: Vec<u32>,
}

#[derive(Deserialize)]
struct RoomId {
    room_id: String,
}

pub(super) async fn make_all(
    crew: &mut Crew,
    order: &Order,
    first: usize,
    population: &mut Population,
    hears: &impl Hears,
) -> Result<(), Problem> {
    let wanted = wanted(order, first);
    let users = &population.users;
    let done = AtomicUsize::new(0);
    let ids = crew
        .each(wanted.len(), async |hand, number| {
            let Wanted { alias, kind, members } = &wanted[number];
            let members: Vec<&User> = members.iter().map(|member| &users[*member as usize]).collect();
            let id =
                make(&mut hand.at(members[0].home), alias, &order.profile.rooms[*kind], &members).await?;
            hears.made("rooms", done.fetch_add(1, Ordering::Relaxed) + 1, wanted.len());
            Ok(id)
        })
        .await?;
    join(crew, order, &wanted, &ids, users, hears).await?;
    fill(crew, order, &wanted, &ids, users, hears).await?;
    let known = population.rooms.len();
    for (place, (wanted, id)) in (known..).zip(wanted.into_iter().zip(ids)) {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let is_lobby = order.profile.rooms[wanted.kind].lobby;
        let maker = wanted.members[0];
        let members = if is_lobby { Vec::new() } else { wanted.members };
        for member in &members {
            population.users[*member as usize].rooms.push(place);
        }
        population.rooms.push(Room {
            segment: request::segment(&id),
            id,
            kind: wanted.kind,
            watchers: Arc::default(),
            servers: Arc::default(),
            members,
            maker,
            latest: Mutex::default(),
        });
    }
    Ok(())
}

/// The rooms of the order's cells, whose users begin at this place of the population.
fn wanted(order: &Order, first: usize) -> Vec<Wanted> {
    let first = u32::try_from(first).unwrap_or(u32::MAX);
    let mut wanted = Vec::new();
    for (cell_place, cell) in (0..).zip(&order.cells) {
        let offset = first + cell_place * order.profile.users();
        for (kind, of_kind) in order.profile.rooms.iter().enumerate() {
            for number in 0..of_kind.count {
                wanted.push(Wanted {
                    alias: format!("load-{:x}-{cell}-{}-{number}", order.seed, of_kind.name),
                    kind,
                    members: members(&order.profile, kind, number)
                        .iter()
                        .map(|place| place + offset)
                        .collect(),
                });
            }
        }
    }
    wanted
}

async fn make(hand: &mut At<'_>, alias: &str, kind: &RoomKind, members: &[&User]) -> Result<String, Problem> {
    let (maker, others) = (members[0], &members[1..]);
    let mut body = json!({"visibility": "private", "room_alias_name": alias, "name": alias});
    if kind.private {
        body["preset"] = json!("private_chat");
        body["invite"] = others.iter().map(|user| user.id.as_str()).collect();
    } else {
        body["preset"] = json!("public_chat");
    }
    match hand
        .read::<RoomId>(request::post("/_matrix/client/v3/createRoom", Some(&maker.bearer), &body))
        .await
    {
        Err(Problem::Status { errcode, .. }) if errcode == "M_ROOM_IN_USE" => {
            let server_name = maker.server_name();
            let path = format!(
                "/_matrix/client/v3/directory/room/{}",
                request::segment(&format!("#{alias}:{server_name}"))
            );
            Ok(hand.read::<RoomId>(request::get(&path, Some(&maker.bearer))).await?.room_id)
        }
        made => Ok(made?.room_id),
    }
}

async fn join(
    crew: &mut Crew,
    order: &Order,
    wanted: &[Wanted],
    ids: &[String],
    users: &[User],
    hears: &impl Hears,
) -> Result<(), Problem> {
    #[derive(Deserialize)]
    struct Joined {
        joined_rooms: BTreeSet<String>,
    }
    // Room by room, so that a large one does not hold up the others; its joins queue at the server in any case.
    let lobby = |wanted: &Wanted| order.profile.rooms[wanted.kind].lobby;
    let mut of_user: Vec<Vec<usize>> = vec![Vec::new(); users.len()];
    for (place, wanted) in wanted.iter().enumerate().filter(|(_, wanted)| !lobby(wanted)) {
        wanted.members.iter().skip(1).for_each(|member| of_user[*member as usize].push(place));
    }
    let done = AtomicUsize::new(0);
    crew.each(users.len(), async |hand, number| {
        let user = &users[number];
        let mut hand = hand.at(user.home);
        if !of_user[number].is_empty() {
            let joined: Joined =
                hand.read(request::get("/_matrix/client/v3/joined_rooms", Some(&user.bearer))).await?;
            for place in of_user[number].iter().filter(|place| !joined.joined_rooms.contains(&ids[**place])) {
                // A server that is not in the room is told which one is.
                let via = request::segment(users[wanted[*place].members[0] as usize].server_name());
                let room = request::segment(&ids[*place]);
                let path = format!("/_matrix/client/v3/join/{room}?via={via}&server_name={via}");
                hand.read::<RoomId>(request::post(&path, Some(&user.bearer), &json!({}))).await?;
            }
        }
        hears.made("memberships", done.fetch_add(1, Ordering::Relaxed) + 1, users.len());
        Ok(())
    })
    .await?;
    Ok(())
}

async fn fill(
    crew: &mut Crew,
    order: &Order,
    wanted: &[Wanted],
    ids: &[String],
    users: &[User],
    hears: &impl Hears,
) -> Result<(), Problem> {
    let done = AtomicUsize::new(0);
    crew.each(wanted.len(), async |hand, number| {
        let (room, wanted_here) = (request::segment(&ids[number]), &wanted[number]);
        let history = order.profile.rooms[wanted_here.kind].history;
        let maker = &users[wanted_here.members[0] as usize];
        let mut of_maker = hand.at(maker.home);
        let marker = format!("/_matrix/client/v3/rooms/{room}/state/{COMPLETE}/");
        if history > 0 && !of_maker.ask(request::get(&marker, Some(&maker.bearer))).await?.status.is_success()
        {
            let speakers =
                if order.profile.rooms[wanted_here.kind].lobby { 1 } else { wanted_here.members.len() };
            for message in 0..history {
                let speaker = &users[wanted_here.members[message as usize % speakers] as usize];
                let path = format!(
                    "/_matrix/client/v3/rooms/{room}/send/m.room.message/{}-{message}",
                    wanted_here.alias
                );
                let body = message::text(order.seed ^ u64::from(message), None, None);
                let message = request::put(&path, Some(&speaker.bearer), &body);
                hand.at(speaker.home).read::<serde_json::Value>(message).await?;
            }
            let complete = json!({"history": history});
            let mut of_maker = hand.at(maker.home);
            of_maker.read::<serde_json::Value>(request::put(&marker, Some(&maker.bearer), &complete)).await?;
        }
        hears.made("histories", done.fetch_add(1, Ordering::Relaxed) + 1, wanted.len());
        Ok(())
    })
    .await?;
    Ok(())
}
