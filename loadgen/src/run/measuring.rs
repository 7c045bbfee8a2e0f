//! The measured part of a run: everybody online, the schedule driven, the rest awaited.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reports::load::{Generator, Histogram, LoadRecord, Part, Plan, Sample};
use tokio::{task::JoinSet, time::Instant};

use super::{Rig, RunError, Settings, planned::Planned, verdict};
use crate::{
    client::{Actor, Traffic},
    connection::{Lane, Problem},
    engine::{Performers, Pool, drive},
    federation::{self, Errands, Hearing},
    journey::Journeys,
    ledger::Ledger,
    machine::{self, Observer},
    pacer::Pacer,
    population::{Crew, Population},
    prometheus::Scrape,
    recorder::Recorder,
    request,
    switchboard::Switchboard,
    sync::{self, Event, Looks, Timeline, Watch},
};

/// How long before the first slot everything stands ready.
const LEAD: Duration = Duration::from_millis(200);
/// Connections that are opened at once when everybody comes online.
const OPENED_AT_ONCE: usize = 32;
const OPENED_EVERY: Duration = Duration::from_millis(5);
/// How often the record is written while a run goes.
const KEPT_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn measure(
    rig: &mut Rig<'_>,
    settings: &Settings,
    cancelled: impl Future<Output = ()>,
) -> Result<LoadRecord, RunError> {
    let plan = Planned::of(settings, &rig.population)?;
    plan.admit(settings, rig)?;
    rig.catch_up(settings).await?;
    let population = Arc::new(std::mem::take(&mut rig.population));
    let measured = measure_population(rig, settings, &plan, &population, cancelled).await;
    // Whoever was online is so no longer: nobody else holds it.
    rig.population = Arc::into_inner(population).unwrap_or_default();
    measured
}

impl Rig<'_> {
    /// Brings everybody who will be online to the present, so that the first long poll holds.
    async fn catch_up(&mut self, settings: &Settings) -> Result<(), RunError> {
        let behind: Vec<u32> = self
            .population
            .active_in(None)
            .into_iter()
            .filter(|user| self.population.users[*user as usize].since().is_empty())
            .collect();
        let (population, done) = (&self.population, std::sync::atomic::AtomicUsize::new(0));
        let mut crew = Crew::new(self.homes.servers(), settings.hands, settings.within);
        let path = format!(
            "/_matrix/client/v3/sync?timeout=0&filter={}",
            request::segment(r#"{"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true}}}"#)
        );
        let synced = crew.each(behind.len(), async |hand, number| {
            let user = &population.users[behind[number] as usize];
            let answer = hand.at(user.home).ask(request::get(&path, Some(&user.bearer))).await?;
            if !answer.status.is_success() {
                return Err(Problem::of_answer(&answer));
            }
            let next_batch = sync::scan(&answer.body, &mut Latest(population))
                .map_err(|error| Problem::Malformed(error.to_string()))?;
            user.synced(&next_batch);
            let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            self.live.made("users online", done, behind.len());
            Ok(())
        });
        synced.await.map_err(|problem| RunError::Fault(format!("a first sync failed: {problem}"))).map(drop)
    }
}

/// Remembers the latest event of each room.
struct Latest<'p>(&'p Population);

impl Looks for Latest<'_> {
    fn timeline(&mut self, room: &str, timeline: &Timeline<'_>) {
        let room = self.0.room_by_id.get(room).map(|place| &self.0.rooms[*place as usize]);
        if let (Some(room), Some(event)) = (room, timeline.events.last()) {
            room.saw(&event.event_id);
        }
    }

    fn to_device(&mut self, _: &Event<'_>) {}
}

async fn measure_population(
    rig: &Rig<'_>,
    settings: &Settings,
    plan: &Planned,
    population: &Arc<Population>,
    cancelled: impl Future<Output = ()>,
) -> Result<LoadRecord, RunError> {
    let pacer = Pacer::exact().map_err(|error| RunError::Fault(format!("no exact timer: {error}")))?;
    let run = format!("{:08x}-{}-", rand::random::<u32>(), settings.shard.index);
    let errands = sign_ahead(rig, settings, plan, population, &run).await?;
    let start = start(settings, plan.online.len())?;
    let recorder = Recorder::new(start, settings.span);
    let ledger = Arc::new(Ledger::new(recorder.clone()));
    let outward = rig.federation.as_ref().map(|federation| {
        let ledger = Arc::new(Ledger::new(recorder.clone()));
        federation.tell(Hearing { ledger: ledger.clone(), recorder: recorder.clone(), run: run.clone() });
        ledger
    });
    let watch = Arc::new(Watch {
        population: population.clone(),
        online: settings.profile.groups.iter().map(|group| group.online).collect(),
        ledger: ledger.clone(),
        outward: outward.clone(),
        switchboard: Switchboard::default(),
        recorder: recorder.clone(),
        run,
        within: settings.within,
    });
    let traffic = Traffic::new(watch.clone(), &settings.profile, rig.homes.clone(), settings.calls);
    let traffic = Arc::new(traffic.with(rig.federation.clone(), errands));
    settings.offer.shows(&recorder);
    let scrape = scrape(settings).await?;
    let begun = record_begun(rig, settings, plan, &recorder);
    let mut online = JoinSet::new();
    let mut signs = Signs::new(rig, settings, begun.clone(), recorder.clone());
    let driven = async {
        come_online(rig, plan, &watch, &mut online).await;
        let performers: Vec<Performers> = (0..)
            .zip(&plan.able)
            .map(|(action, able)| Performers {
                operation: traffic.measured(action),
                places: able.places.clone(),
                owners: able.owners,
            })
            .collect();
        let actor =
            |user: &u32| Actor { user: *user, lane: rig.homes.lane(population.users[*user as usize].home) };
        let peer = |number: &u32| {
            let server = rig.federation.as_ref().map_or(rig.server(), |federation| &federation.server);
            Actor { user: *number, lane: Lane::new(server.clone()) }
        };
        let actors = plan.lanes.iter().map(actor).chain(plan.of_servers.iter().map(peer));
        let patience = settings.within + settings.longest_action();
        if !settings.profile.journeys.is_empty() {
            let journeys = Journeys::new(&settings.profile, &recorder, settings.seed);
            journeys.travel(actors, settings.span, patience, &traffic).await;
            ledger.settled(settings.within).await;
            return Histogram::default();
        }
        let pool = Arc::new(Pool::new(actors));
        let lag = drive(&plan.slots, &performers, &pool, &recorder, &pacer, patience, &traffic).await;
        ledger.settled(settings.within).await;
        if let Some(outward) = &outward {
            outward.settled(settings.within).await;
        }
        lag
    };
    let lag: Option<Histogram> = tokio::select! {
        lag = driven => Some(lag),
        () = signs.follow(start) => None,
        () = cancelled => None,
    };
    let duration = start.elapsed();
    online.shutdown().await;
    ledger.close_all();
    outward.iter().for_each(|outward| outward.close_all());
    recorder.close();
    let mut record = signs.record(lag.is_none());
    record.duration_ms = (duration.as_secs_f64() * 1e3).round();
    record.generator.lag = lag.unwrap_or_default().into();
    if let Some(scrape) = scrape {
        match scrape.end().await {
            Ok(metrics) => record.metrics = metrics,
            Err(problem) => record
                .notices
                .push(format!("the metrics of the server were not there after the run: {problem}")),
        }
    }
    let silence = rig.probe(settings.within).await.err();
    verdict::judge(&mut record, settings, silence.as_ref());
    Ok(record)
}

/// Signs what scripted servers send, beside the thread that keeps the schedule.
async fn sign_ahead(
    rig: &Rig<'_>,
    settings: &Settings,
    plan: &Planned,
    population: &Arc<Population>,
    run: &str,
) -> Result<Errands, RunError> {
    let Some(federation) = rig.federation.clone() else { return Ok(Errands::new()) };
    let (profile, population, slots) = (settings.profile.clone(), population.clone(), plan.slots.clone());
    let run = run.to_owned();
    let signing = tokio::task::spawn_blocking(move || {
        let plan = federation::Plan { profile: &profile, population: &population, slots: &slots, run: &run };
        federation::sign_ahead(&federation, &plan)
    });
    let failed = |words: String| RunError::Fault(format!("what servers send could not be signed: {words}"));
    let signed = signing.await.map_err(|error| failed(error.to_string()))?;
    signed.map_err(|problem| failed(problem.to_string()))
}

/// When the first slot may be due.
fn start(settings: &Settings, online: usize) -> Result<Instant, RunError> {
    let batches = u32::try_from(online.div_ceil(OPENED_AT_ONCE)).unwrap_or(u32::MAX);
    let Some(at) = settings.start_at else { return Ok(Instant::now() + LEAD + OPENED_EVERY * 2 * batches) };
    let late = |_| {
        RunError::Usage("the moment of --start-at has passed: the population was not ready in time; give a later one with the same --seed, which finds it ready".to_owned())
    };
    Ok(Instant::now() + at.duration_since(SystemTime::now()).map_err(late)?)
}

/// The metrics of the server before the run, where it is said to have any.
async fn scrape(settings: &Settings) -> Result<Option<Scrape>, RunError> {
    let Some(url) = &settings.metrics else { return Ok(None) };
    let begun = Scrape::begin(url).await;
    begun.map(Some).map_err(|problem| RunError::Usage(format!("{url} gives no metrics: {problem}")))
}

async fn come_online(rig: &Rig<'_>, plan: &Planned, watch: &Arc<Watch>, online: &mut JoinSet<()>) {
    for (number, user) in plan.online.iter().enumerate() {
        let lane = rig.homes.lane(watch.population.users[*user as usize].home);
        online.spawn(sync::watch(watch.clone(), lane, *user));
        if number % OPENED_AT_ONCE == OPENED_AT_ONCE - 1 {
            tokio::time::sleep(OPENED_EVERY).await;
        }
    }
}

fn record_begun(rig: &Rig<'_>, settings: &Settings, plan: &Planned, recorder: &Recorder) -> LoadRecord {
    let shard = settings.shard;
    let plan = Plan {
        traffic: settings.traffic.to_owned(),
        profile: settings.profile.name.clone(),
        users: u64::from(settings.users),
        for_ms: settings.span.as_secs_f64() * 1e3,
        interval_ms: recorder.interval().as_secs_f64() * 1e3,
        slots: plan.all_slots,
        part: (shard.of > 1).then_some(Part { index: shard.index, of: shard.of }),
    };
    let started = reports::rfc_3339(settings.start_at.unwrap_or_else(SystemTime::now));
    let mut record =
        LoadRecord::begun(rig.endpoint.target.clone(), settings.seed, plan, started, &settings.command);
    record.population_ms = rig.population_ms.round();
    record
}

/// What is seen of a run from second to second: the machine, the progress, the record so far.
struct Signs<'s> {
    rig: &'s Rig<'s>,
    span: Duration,
    path: Option<std::path::PathBuf>,
    begun: LoadRecord,
    recorder: Recorder,
    samples: Vec<Sample>,
    descriptors: u64,
    memory_bytes: u64,
    cpu: Duration,
    writing: Arc<Mutex<()>>,
}

impl<'s> Signs<'s> {
    fn new(rig: &'s Rig<'s>, settings: &Settings, begun: LoadRecord, recorder: Recorder) -> Self {
        Signs {
            rig,
            span: settings.span,
            path: settings.record.clone(),
            begun,
            recorder,
            samples: Vec::new(),
            descriptors: 0,
            memory_bytes: 0,
            cpu: machine::own_cpu(),
            writing: Arc::default(),
        }
    }

    /// Follows the run for ever.
    async fn follow(&mut self, start: Instant) {
        tokio::time::sleep_until(start).await;
        let mut observer = Observer::new(self.rig.process());
        let mut kept = Instant::now();
        for number in 1_u32.. {
            tokio::time::sleep_until(start + self.recorder.interval() * number).await;
            self.samples.push(observer.look(start.elapsed()));
            self.descriptors = self.descriptors.max(machine::descriptors());
            self.memory_bytes = self.memory_bytes.max(machine::own_memory_bytes());
            self.rig.live.pulse(start.elapsed(), self.span, &self.recorder.pulse());
            if kept.elapsed() >= KEPT_EVERY {
                kept = Instant::now();
                self.keep();
            }
        }
    }

    /// Writes the record as it is now, on another thread; whether it can be written is told at the end.
    fn keep(&self) {
        let Some(path) = self.path.clone() else { return };
        let (mut record, recorder) = (self.begun.clone(), self.recorder.clone());
        record.samples.clone_from(&self.samples);
        let writing = self.writing.clone();
        tokio::task::spawn_blocking(move || {
            let _one_at_a_time = writing.lock().unwrap_or_else(PoisonError::into_inner);
            record.series = recorder.series();
            record.counts = recorder.counts();
            drop(record.write(path));
        });
    }

    fn record(self, interrupted: bool) -> LoadRecord {
        let mut record = self.begun;
        // No older state may overwrite the end.
        let _nobody_writes = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        record.interrupted = interrupted;
        record.series = self.recorder.series();
        record.counts = self.recorder.counts();
        record.generator = Generator {
            cpu_ms: ((machine::own_cpu() - self.cpu).as_secs_f64() * 1e3).round(),
            busiest: self.samples.iter().map(|sample| sample.generator_cpu).fold(0.0, f64::max),
            descriptors: self.descriptors,
            descriptor_limit: machine::descriptor_limit(),
            port_limit: machine::port_limit(),
            memory_bytes: self.memory_bytes.max(machine::own_memory_bytes()),
            ..Generator::default()
        };
        record.samples = self.samples;
        record
    }
}
