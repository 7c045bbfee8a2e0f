//! What must hold for any history, of the oracle and of the built-in server's rules.
//!
//! `DETERMINANT_HISTORIES` is how many histories are put to the test, 240 without it; `DETERMINANT_SEED` takes others.

mod trace;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::LazyLock;

use oracle::{Event, Resolution, StateMap, resolve};
use protocol::RoomVersion;
use protocol::event::{Counts, check_format};
use protocol::room_version::StateResolution;
use rooms::event::Pdu;
use vectors::agreement::{Agreement, compare};
use vectors::expected;
use vectors::history::script::{
    Act, Actor, Amount, AuthEvents, Change, Depth, JoinRule, Opening, OpeningLevels, Place, Spelling, Time,
    Turn,
};
use vectors::history::{Candidate, Coverage, History, Merge, Moment, Script, found, generate};
use vectors::published::{self, Case};
use vectors::question::{Question, Verify};
use vectors::room::published_keys;

static HISTORIES: LazyLock<Vec<History>> = LazyLock::new(|| {
    (0..number("DETERMINANT_HISTORIES", 240))
        .map(|index| generate(seed(), index).play(version(index)))
        .collect()
});

/// What is wrong with a history, if anything.
type Judged = Result<(), String>;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn seed() -> u64 {
    number("DETERMINANT_SEED", 3)
}

fn version(index: u64) -> &'static RoomVersion {
    RoomVersion::ALL.into_iter().cycle().nth(index as usize % RoomVersion::ALL.len()).unwrap()
}

/// Requires a property of every history; the smallest that lacks it is drawn.
#[track_caller]
fn holds(property: impl Fn(&History) -> Judged) {
    for (index, history) in (0..).zip(HISTORIES.iter()) {
        if property(history).is_err() {
            let candidate = Candidate::new(seed(), index);
            let smallest = candidate.shrink(version(index), |history| property(history).is_err());
            panic!("{}\n\n{}", property(&smallest).unwrap_err(), smallest.draw());
        }
    }
}

fn require(condition: bool, problem: impl FnOnce() -> String) -> Judged {
    if condition { Ok(()) } else { Err(problem()) }
}

/// The histories are such that the rules matter.
#[test]
fn most_have_a_real_conflict() {
    let conflicts = HISTORIES.iter().filter(|history| history.has_conflict()).count();
    assert!(conflicts * 10 >= HISTORIES.len() * 6, "{conflicts} of {} have one", HISTORIES.len());
}

#[test]
fn events_have_their_format_and_signatures() {
    holds(|history| {
        let version = history.version();
        for moment in history.moments() {
            let event = history.room().events().get(&moment.event_id).unwrap();
            if event.event_type() == "m.room.create" && moment.is_rejected() {
                // These may break the format as well as the rules.
                continue;
            }
            check_format(event.pdu(), version, Counts::Limited)
                .map_err(|error| format!("{}: {error}", moment.says))?;
        }
        Ok(())
    });
}

#[test]
fn signatures_are_valid() {
    let keys = published_keys(["a.example", "b.example", "c.example", "d.example"]);
    // Signatures are slow to check, and alike in all histories.
    for history in HISTORIES.iter().take(24) {
        for moment in history.moments() {
            let verify = Question::Verify(Verify {
                room_version: Some(history.version().id.to_owned()),
                json: history.room().text(&moment.event_id).unwrap().clone(),
                server_name: None,
                keys: keys.clone(),
            });
            let answer = expected::answer(&verify);
            let lacks_authoriser = moment.says.contains("unsigned");
            assert!(answer.valid == Some(true) || lacks_authoriser, "{}: {answer:?}", moment.says);
            assert!(answer.intact != Some(false), "{}", moment.says);
        }
    }
}

/// What was found out while the history was played is what the questions alone lead to.
#[test]
fn the_oracle_answers_its_own_questions() {
    holds(|history| agree(history, expected::answer));
}

/// Authorization with the number of the rule, and state resolution with the rejected events.
#[test]
fn the_built_in_server_agrees() {
    holds(|history| agree(history, rooms_adapter::answer));
}

fn agree(history: &History, answer: fn(&Question) -> vectors::Answer) -> Judged {
    for vector in history.questions() {
        match compare(&vector.answer, &answer(&vector.question)) {
            Agreement::Agrees => {}
            Agreement::Unsupported(why) => return Err(format!("{}: cannot: {why}", vector.says)),
            Agreement::Differs(differences) => {
                let differences: Vec<_> =
                    differences.iter().map(|it| named(history, &it.to_string())).collect();
                return Err(format!("{}\n{}", vector.says, differences.join("\n")));
            }
        }
    }
    Ok(())
}

/// With names in place of ids.
fn named(history: &History, text: &str) -> String {
    let names = history.room().names().iter();
    names.fold(text.to_owned(), |text, (id, name)| text.replace(id.as_str(), name))
}

#[test]
fn playing_twice_makes_the_same_history() {
    for index in 0..24 {
        let (once, again) = (generate(seed(), index), generate(seed(), index));
        assert_eq!(once, again);
        assert_eq!(once.play(version(index)).questions(), again.play(version(index)).questions());
    }
}

/// Requires something of every place where branches meet.
#[track_caller]
fn every_resolution(property: impl Fn(&History, &Merge) -> Judged) {
    holds(|history| history.merges().iter().try_for_each(|merge| property(history, merge)));
}

fn oracles(history: &History, state_sets: &[StateMap]) -> Resolution {
    resolve(history.version(), state_sets, history.room().events()).unwrap()
}

/// The built-in server's resolution, with the events handed over in the order that is given.
fn servers(history: &History, state_sets: &[StateMap], is_reversed: bool) -> BTreeSet<String> {
    let read =
        |event: &Event| Pdu::with_id(event.id().to_owned(), event.pdu().clone(), history.version()).unwrap();
    let pdus: HashMap<String, Pdu> =
        history.room().events().iter().map(|event| (event.id().to_owned(), read(event))).collect();
    let states: Vec<rooms::state::StateMap> = state_sets
        .iter()
        .map(|state| {
            let mut events: Vec<Pdu> = state.values().map(|id| pdus[id].clone()).collect();
            if is_reversed {
                events.reverse();
            }
            events.into_iter().collect()
        })
        .collect();
    let resolved = rooms::resolution::resolve(history.version(), &states, &pdus).unwrap();
    resolved.state.iter().map(|event| event.event_id().to_owned()).collect()
}

fn ids(state: &StateMap) -> BTreeSet<String> {
    state.values().cloned().collect()
}

#[test]
fn neither_order_nor_repetition_of_sets_matters() {
    every_resolution(|history, merge| {
        let mut sets = merge.state_sets.clone();
        sets.reverse();
        let reversed = sets.clone();
        sets.push(sets[0].clone());
        sets.rotate_left(1);
        for sets in [reversed, sets] {
            let again = oracles(history, &sets);
            require(again == merge.resolution, || "the oracle heeds the order of sets".to_owned())?;
            let servers = servers(history, &sets, true);
            let names: Vec<&str> = servers.iter().map(|id| history.room().name(id)).collect();
            require(servers == ids(&merge.resolution.state), || {
                format!("the server heeds the order of sets and comes to {names:?}")
            })?;
        }
        Ok(())
    });
}

#[test]
fn equal_sets_resolve_to_themselves() {
    every_resolution(|history, merge| {
        for state in &merge.state_sets {
            let sets = vec![state.clone(), state.clone(), state.clone()];
            let resolution = oracles(history, &sets);
            require(resolution.state == *state, || "the oracle changes what is not in conflict".to_owned())?;
            let servers = servers(history, &sets, false);
            require(servers == ids(state), || "the server changes what is not in conflict".to_owned())?;
        }
        Ok(())
    });
}

#[test]
fn every_event_of_the_result_comes_from_a_set_or_an_auth_chain() {
    every_resolution(|history, merge| {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&str> =
            merge.state_sets.iter().flat_map(StateMap::values).map(String::as_str).collect();
        while let Some(id) = waiting.pop() {
            if known.insert(id) {
                let event = history.room().events().get(id).unwrap();
                waiting.extend(event.auth_events().iter().map(String::as_str));
            }
        }
        let stranger = merge.resolution.state.values().find(|id| !known.contains(id.as_str()));
        require(stranger.is_none(), || {
            format!("{} comes from nowhere", history.room().name(stranger.unwrap()))
        })
    });
}

#[test]
fn what_nobody_disputes_survives() {
    every_resolution(|history, merge| {
        if history.version().state_resolution == StateResolution::V1 {
            return Ok(());
        }
        for (key, id) in &merge.state_sets[0] {
            let is_undisputed = merge.state_sets.iter().all(|state| state.get(key) == Some(id));
            let survives = merge.resolution.state.get(key) == Some(id);
            require(!is_undisputed || survives, || format!("{} does not survive", history.room().name(id)))?;
        }
        Ok(())
    });
}

/// Recomputes the partial state from check to check; the rules have to allow what entered it, there and then.
#[test]
fn every_event_was_allowed_at_the_moment_it_was_taken() {
    every_resolution(|history, merge| match history.version().state_resolution {
        StateResolution::V1 => trace::recheck_v1(history, &merge.resolution),
        StateResolution::V2 => {
            trace::recheck_v2(history, &merge.resolution, &merge.resolution.unconflicted_state)
        }
        StateResolution::V2_1 => trace::recheck_v2(history, &merge.resolution, &StateMap::new()),
    });
}

#[test]
fn a_history_is_drawn() {
    let opening = Opening {
        join_rule: JoinRule::Public,
        levels: OpeningLevels::Moderators,
        members: 2,
        federated: true,
        additional_creators: 0,
    };
    let level = Amount { level: 0, spelling: Spelling::Integer };
    let plain = |place, act, actor| Turn::plain(place, act, Actor::Able(actor));
    let script = Script {
        opening,
        turns: vec![
            plain(Place::Branch(0), Act::Topic, 2),
            Turn { target: 1, ..plain(Place::Branch(0), Act::Ban, 1) },
            Turn { time: Time::Same, ..plain(Place::Fork(1), Act::Levels(Change::User(level)), 0) },
            plain(Place::Fork(0), Act::JoinRules(JoinRule::Invite), 2),
            Turn { depth: Depth::Jump(9), ..plain(Place::Branch(1), Act::Topic, 2) },
            Turn::plain(Place::Branch(1), Act::Kick, Actor::Anyone(4)),
            Turn { auth_events: AuthEvents::Stale(3), ..plain(Place::Merge(0), Act::Topic, 0) },
            Turn { followed_if_rejected: true, ..plain(Place::Branch(1), Act::Unban, 1) },
            plain(Place::Branch(1), Act::Name, 1),
        ],
    };
    insta::assert_snapshot!(script.play(RoomVersion::find("10").unwrap()).draw());
}

/// Of a history in which somebody was banned, little but the ban is left.
#[test]
fn a_failing_history_is_made_small() {
    let bans = |history: &History| {
        let is_ban = |moment: &Moment| moment.says.starts_with("bans") && !moment.is_rejected();
        history.moments().iter().any(is_ban)
    };
    let index = HISTORIES.iter().position(bans).unwrap() as u64;
    let smallest = Candidate::new(seed(), index).shrink(version(index), bans);
    assert!(bans(&smallest) && smallest.moments().len() <= 7, "{}", smallest.draw());
}

/// The rules and the steps of state resolution decide somewhere; this takes more histories than the properties do.
#[test]
#[ignore = "takes a minute unless optimised"]
fn rules_and_steps_are_exercised() {
    let mut coverage = Coverage::default();
    for index in 0..6_000 {
        coverage.add(&generate(seed(), index).play(version(index)));
    }
    let (hit, total) = (coverage.rules_hit(), Coverage::rules_total());
    assert!(hit * 10 >= total * 9, "{hit} of {total} leaves: {:?}", coverage.missed_rules());
    assert_eq!(coverage.missed_steps(), []);
}

/// What was found once is answered right by both judges, for good.
#[test]
fn what_was_found_stays_settled() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/dags/found"));
    assert_settled(&published::cases_from(folder).unwrap());
}

#[track_caller]
fn assert_settled(cases: &[Case]) {
    assert!(!cases.is_empty());
    for Case { vector, question, .. } in cases {
        for (judge, given) in
            [("oracle", expected::answer(question)), ("rooms", rooms_adapter::answer(question))]
        {
            assert_eq!(compare(&vector.answer, &given), Agreement::Agrees, "{}: {judge}", vector.id);
        }
    }
}

/// What is kept can be read and asked again.
#[test]
fn what_is_found_can_be_kept() {
    let history = &HISTORIES[5];
    let folder = tempfile::tempdir().unwrap();
    let questions = history.questions();
    found::save(folder.path(), "kept", "A note.", history, &questions).unwrap();
    let cases = published::cases_from(folder.path()).unwrap();
    let drawing = std::fs::read_to_string(folder.path().join("kept.txt")).unwrap();
    assert_eq!(cases.len(), questions.len());
    assert_settled(&cases);
    assert!(drawing.starts_with("A note.\n\n") && drawing.contains("creates the room"));
}
