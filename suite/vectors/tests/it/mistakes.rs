//! Proof that vectors and histories can fail: under every mistake that the built-in server's rules can be told to make,
//! some answer is wrong.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;
use std::thread;

use protocol::RoomVersion;
use rooms::mistakes::Mistake;
use vectors::agreement::{Agreement, compare};
use vectors::file::Vector;
use vectors::history::generate;
use vectors::published;
use vectors::question::Question;

/// Histories that are put under a mistake that no vector shows.
const HISTORIES: u64 = 600;

/// The seed of those histories.
const SEED: u64 = 7;

/// Mistakes that no answer can show, each with the reason.
const EQUIVALENT: &[(&str, &str)] = &[(
    "float-levels-always-read",
    "an event with a float fails the check of its format in the room versions that take no floats (rooms/v6/#canonical-json)",
)];

/// Every published case on room rules, and what an adapter is asked.
static CASES: LazyLock<Vec<(String, Vector)>> = LazyLock::new(|| {
    let of_rules = |question: &Question| matches!(question, Question::Authorize(_) | Question::Resolve(_));
    let cases = published::cases().unwrap().into_iter().filter(|case| of_rules(&case.question));
    cases.map(|case| (case.vector.id.clone(), Vector { question: case.question, ..case.vector })).collect()
});

#[test]
fn every_mistake_shows() {
    let mistakes: Vec<_> = Mistake::all().collect();
    let half = mistakes.len().div_ceil(2);
    let shown: BTreeMap<_, _> = thread::scope(|scope| {
        let search = |mistakes| scope.spawn(move || search(mistakes));
        let searches: Vec<_> = mistakes.chunks(half).map(search).collect();
        searches.into_iter().flat_map(|search| search.join().unwrap()).collect()
    });
    let excused = |name: &str| EQUIVALENT.iter().any(|(excused, _)| *excused == name);
    let survivors: Vec<_> = shown.iter().filter(|(name, by)| by.is_none() && !excused(name)).collect();
    assert!(survivors.is_empty(), "nothing shows these mistakes: {survivors:#?}");
    let wrongly_excused: Vec<_> = shown.iter().filter(|(name, by)| by.is_some() && excused(name)).collect();
    assert!(wrongly_excused.is_empty(), "these mistakes show after all: {wrongly_excused:#?}");
    let mut table = String::new();
    for (name, by) in &shown {
        let _ = writeln!(table, "{name:44} {}", by.as_deref().unwrap_or("nothing, and rightly so"));
    }
    insta::assert_snapshot!(table);
}

/// By the name of each mistake, what shows it.
fn search(mistakes: &[Mistake]) -> Vec<(String, Option<String>)> {
    mistakes
        .iter()
        .map(|mistake| (mistake.name(), by_vector(*mistake).or_else(|| by_history(*mistake))))
        .collect()
}

fn by_vector(mistake: Mistake) -> Option<String> {
    let shows = |(_, vector): &&(String, Vector)| is_wrong(mistake, vector);
    CASES.iter().find(shows).map(|(id, _)| id.clone())
}

fn by_history(mistake: Mistake) -> Option<String> {
    let shows = |index: &u64| {
        let version = RoomVersion::ALL[*index as usize % RoomVersion::ALL.len()];
        let history = generate(SEED, *index).play(version);
        history.questions().iter().any(|vector| is_wrong(mistake, vector))
    };
    (0..HISTORIES).find(shows).map(|index| format!("history {index} of seed {SEED}"))
}

fn is_wrong(mistake: Mistake, vector: &Vector) -> bool {
    let given = rooms_adapter::answer_with(mistake, &vector.question);
    matches!(compare(&vector.answer, &given), Agreement::Differs(_))
}
