//! What is measured of one server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loadgen::machine::Observer;
use tokio::task::JoinSet;

use crate::Fallible;
use crate::house::House;
use crate::person::{Person, text};

const SENDERS: usize = 10;

/// Who waits for messages.
const LISTENERS: usize = 50;

/// What was said in every room before anything is measured, in messages.
const BEFORE: usize = 20;

/// How far messages that are listened for are apart.
const PAUSE: Duration = Duration::from_millis(200);

/// Rooms, and members of each.
const SHAPES: [(usize, usize); 3] = [(1, SENDERS), (1, 50), (20, SENDERS)];

/// One figure of a server.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// Whether a ratio says anything.
    pub(crate) compared: bool,
    more_is_better: bool,
}

impl Figure {
    fn more(name: String, value: f64) -> Self {
        Figure { name, value, compared: true, more_is_better: true }
    }

    fn less(name: &str, value: f64) -> Self {
        Figure { name: name.to_owned(), value, compared: true, more_is_better: false }
    }

    fn aside(name: &str, value: f64) -> Self {
        Figure { compared: false, ..Figure::less(name, value) }
    }

    /// How many times better the first value is.
    pub(crate) fn advantage(&self, ours: f64, theirs: f64) -> f64 {
        if self.more_is_better { ours / theirs } else { theirs / ours }
    }
}

/// All figures of a server, in the order in which they were taken.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    pub(crate) fn rows(&self) -> &[Figure] {
        &self.0
    }
}

pub(crate) async fn take(house: &House, span: Duration) -> Fallible<Figures> {
    let mut figures = Figures(vec![Figure::less("start, ms", ms(house.start))]);
    let mut whole = Observer::new(Some(house.process));
    let people = people(house).await?;
    let mut shapes = Vec::new();
    for (rooms, members) in SHAPES {
        let rooms_of = rooms_with(&people, rooms, members).await?;
        for room in &rooms_of {
            for _ in 0..BEFORE {
                people[0].say(room, "something that was said before").await?;
            }
        }
        shapes.push((rooms_of, members));
    }
    let latencies = delivery(&people, span).await?;
    figures.0.push(Figure::less("delivery to 50 at 5 per second, p50, ms", quantile(&latencies, 0.5)));
    figures.0.push(Figure::less("delivery to 50 at 5 per second, p95, ms", quantile(&latencies, 0.95)));
    figures.0.push(Figure::less("initial sync of 23 rooms, ms", initial_sync(&people).await?));
    // Both have done the same so far; from here on, who is faster has more to keep.
    let resident = resident_mib(house);
    figures.0.push(Figure::less("resident memory after that, MiB", resident));
    for (rooms_of, members) in shapes {
        let rooms = rooms_of.len();
        let (rate, per_cpu) = accepted(house, &people, &rooms_of, span).await?;
        let name = format!("{rooms} room{} of {members}: messages", if rooms == 1 { "" } else { "s" });
        figures.0.push(Figure::more(format!("{name} per second"), rate));
        figures.0.push(Figure::more(format!("{name} per CPU second"), per_cpu));
    }
    figures.0.push(Figure::aside("resident memory at the end, MiB", resident_mib(house)));
    figures.0.push(Figure::aside(
        "CPU of everybody else meanwhile, cores",
        whole.look(Duration::ZERO).foreign_cpu,
    ));
    Ok(figures)
}

fn resident_mib(house: &House) -> f64 {
    Observer::new(Some(house.process)).look(Duration::ZERO).memory_bytes as f64 / 1_048_576.0
}

async fn people(house: &House) -> Fallible<Vec<Person>> {
    let mut people = Vec::new();
    for number in 0..LISTENERS {
        people.push(Person::register(&house.url, &format!("person-{number}")).await?);
    }
    Ok(people)
}

/// Rooms with the first so many people in them.
async fn rooms_with(people: &[Person], rooms: usize, members: usize) -> Fallible<Vec<String>> {
    let mut made = Vec::new();
    for _ in 0..rooms {
        let room = people[0].new_room().await?;
        for person in &people[1..members] {
            person.join(&room).await?;
        }
        made.push(room);
    }
    Ok(made)
}

/// How many messages are accepted of senders who each send the next when the one before was accepted: in a second, and in a
/// second of the server's processor time.
async fn accepted(
    house: &House,
    people: &[Person],
    rooms: &[String],
    span: Duration,
) -> Fallible<(f64, f64)> {
    let mut observer = Observer::new(Some(house.process));
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for (number, person) in people[..SENDERS].iter().cloned().enumerate() {
        let rooms = rooms.to_vec();
        senders.spawn(async move {
            let mut sent = 0_u32;
            while begun.elapsed() < span {
                person.say(&rooms[(number + sent as usize) % rooms.len()], "as fast as it goes").await?;
                sent += 1;
            }
            Fallible::Ok(sent)
        });
    }
    let mut sent = 0.0;
    while let Some(of_one) = senders.join_next().await {
        sent += f64::from(of_one??);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu_s = observer.look(span).cpu * elapsed;
    Ok((sent / elapsed, sent / cpu_s.max(0.001)))
}

/// How long messages take until each of the listeners has them, in milliseconds.
async fn delivery(people: &[Person], span: Duration) -> Fallible<Vec<f64>> {
    let room = rooms_with(people, 1, LISTENERS).await?.remove(0);
    let sent: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let count = (span.as_secs_f64() / PAUSE.as_secs_f64()) as usize;
    let mut listeners = JoinSet::new();
    for person in people.iter().cloned() {
        let since = text(&person.sync(None).await?, "next_batch")?;
        listeners.spawn(listen(person, since, room.clone(), Arc::clone(&sent), count));
    }
    let mut clock = tokio::time::interval(PAUSE);
    for number in 0..count {
        clock.tick().await;
        let words = format!("message {number}");
        sent.lock().unwrap_or_else(PoisonError::into_inner).insert(words.clone(), Instant::now());
        people[0].say(&room, &words).await?;
    }
    let mut latencies = Vec::new();
    while let Some(heard) = listeners.join_next().await {
        latencies.extend(heard??);
    }
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

/// Syncs until as many messages have come as are sent.
async fn listen(
    person: Person,
    mut since: String,
    room: String,
    sent: Arc<Mutex<HashMap<String, Instant>>>,
    count: usize,
) -> Fallible<Vec<f64>> {
    let mut latencies = Vec::new();
    while latencies.len() < count {
        let news = person.sync(Some(&since)).await?;
        let now = Instant::now();
        since = text(&news, "next_batch")?;
        let timeline = &news["rooms"]["join"][&room]["timeline"];
        if timeline["limited"] == true {
            return Err("a listener was too slow: its timeline was limited".into());
        }
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        let words = timeline["events"].as_array().into_iter().flatten();
        let moments = words.filter_map(|event| sent.get(event["content"]["body"].as_str()?));
        latencies.extend(moments.map(|moment| ms(now - *moment)));
    }
    Ok(latencies)
}

/// The middle one of nine, each of another user.
async fn initial_sync(people: &[Person]) -> Fallible<f64> {
    let mut taken = Vec::new();
    for person in &people[..SENDERS - 1] {
        let begun = Instant::now();
        person.first_sync().await?;
        taken.push(ms(begun.elapsed()));
    }
    taken.sort_by(f64::total_cmp);
    Ok(quantile(&taken, 0.5))
}

/// Of values in order.
fn quantile(values: &[f64], part: f64) -> f64 {
    let place = ((values.len() as f64 - 1.0) * part).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
