//! `determinant vectors`: room rules put to any implementation.

use std::io;
use std::process::{Command, ExitCode};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use protocol::RoomVersion;
use serde_json::json;
use vectors::adapter;
use vectors::expected;
use vectors::fuzz::Plan;
use vectors::history::found;
use vectors::published::{self, Case};
use vectors::respondent::Respondent;
use vectors::tally::{Tally, rules_of};
use vectors::telling;

use crate::arguments::{Adapter, Vectors, VectorsAnswer, VectorsFuzz, VectorsRun, VectorsShow};
use crate::{Failure, say};

pub(crate) fn vectors(verb: &Vectors) -> Result<ExitCode, Failure> {
    match verb {
        Vectors::Run(arguments) => run(arguments),
        Vectors::Fuzz(arguments) => fuzz(arguments),
        Vectors::Show(arguments) => show(arguments),
        Vectors::Answer(arguments) => answer(arguments),
    }
}

fn run(arguments: &VectorsRun) -> Result<ExitCode, Failure> {
    let cases = cases(arguments)?;
    let mut respondent = respondent(&arguments.adapter)?;
    let from =
        arguments.from.as_ref().map_or_else(String::new, |path| format!(" --from '{}'", path.display()));
    let command = command(&arguments.adapter) + &from;
    let progress = progress(cases.len(), "cases");
    let mut tally = Tally::default();
    let mut told = 0;
    let ran = vectors::run::run(&mut respondent, &cases, |outcome| {
        let case = outcome.case;
        tally.note(telling::area(case), &case.question, &outcome.agreement);
        let differences = telling::differences(&outcome.agreement);
        if !differences.is_empty() && told < arguments.show {
            told += 1;
            progress.suspend(|| say(telling::disagreement(case, differences, &command)));
        }
        progress.inc(1);
    });
    progress.finish_and_clear();
    ran.map_err(|fault| Failure::Fault(fault.to_string()))?;
    let total = tally.total();
    if total.disagreements > told {
        say(format!("{} more wrong answers; --show tells more of them\n", total.disagreements - told));
    }
    say(telling::table(&tally).trim_end());
    if arguments.json {
        say(json!({
            "cases": total.cases, "disagreements": total.disagreements, "unsupported": total.unsupported,
            "rejected": tally.rejected(), "rules_hit": tally.rules_hit(), "rules_total": rules_of(RoomVersion::ALL),
        }));
    }
    Ok(ExitCode::from(u8::from(total.disagreements > 0)))
}

fn fuzz(arguments: &VectorsFuzz) -> Result<ExitCode, Failure> {
    let versions = match arguments.room_version.as_slice() {
        [] => RoomVersion::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    let seed = arguments.seed.unwrap_or_else(suite::seed);
    let plan = Plan { cases: arguments.cases, seed, versions, findings: arguments.show };
    let jobs =
        arguments.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, |jobs| jobs.get());
    let mut respondents = (0..jobs).map(|_| respondent(&arguments.adapter)).collect::<Result<Vec<_>, _>>()?;
    let folder = match &arguments.save {
        Some(folder) => folder.clone(),
        None => crate::run::cache()?.join("found"),
    };
    let progress = progress(plan.cases as usize, "histories");
    let summary = vectors::fuzz::fuzz(&plan, &mut respondents, || progress.inc(1));
    progress.finish_and_clear();
    let summary = summary.map_err(|fault| Failure::Fault(fault.to_string()))?;
    for finding in &summary.findings {
        let name = finding.name(seed);
        let note = telling::finding_note(finding, seed);
        found::save(&folder, &name, &note, &finding.history, std::slice::from_ref(&finding.vector))
            .map_err(|error| Failure::Usage(format!("cannot write to {}: {error}", folder.display())))?;
        let file = folder.join(name).with_extension("json");
        let command = format!("{} --from '{}'", command(&arguments.adapter), file.display());
        say(telling::finding(finding, seed, &command));
    }
    say(telling::fuzzing(&plan, &summary).trim_end());
    if arguments.json {
        say(json!({
            "cases": summary.coverage.conflicts, "disagreements": summary.disagreements,
            "unsupported": summary.unsupported, "rejected": summary.coverage.rejected,
            "rules_hit": plan.rules_total() - summary.missed_rules(&plan).len(), "rules_total": plan.rules_total(),
            "seed": seed, "questions": summary.questions,
            "events": summary.coverage.events,
        }));
    }
    Ok(ExitCode::from(u8::from(summary.disagreements > 0)))
}

fn show(arguments: &VectorsShow) -> Result<ExitCode, Failure> {
    let found = chosen(read(None)?, std::slice::from_ref(&arguments.id))?;
    for case in found {
        say(&case.vector.id);
        say(&case.vector.says);
        say(format!("text      {}", case.specification));
        say(format!("question  {}", json!(case.question)));
        say(format!("answer    {}\n", json!(case.vector.answer)));
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(arguments: &VectorsAnswer) -> Result<ExitCode, Failure> {
    let judge = if arguments.oracle { expected::answer } else { rooms_adapter::answer };
    let output = io::BufWriter::new(io::stdout().lock());
    adapter::serve(io::stdin().lock(), output, judge)
        .map_err(|error| Failure::Fault(format!("the conversation broke off: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

fn cases(arguments: &VectorsRun) -> Result<Vec<Case>, Failure> {
    chosen(read(arguments.from.as_deref())?, &arguments.only)
}

fn read(from: Option<&std::path::Path>) -> Result<Vec<Case>, Failure> {
    let cases = from.map_or_else(published::cases, published::cases_from);
    cases.map_err(|error| Failure::Usage(error.to_string()))
}

fn chosen(mut cases: Vec<Case>, prefixes: &[String]) -> Result<Vec<Case>, Failure> {
    if cases.is_empty() {
        return Err(Failure::Usage("there are no vectors; name a file or a folder that has some".to_owned()));
    }
    let unmatched =
        prefixes.iter().find(|prefix| !cases.iter().any(|case| case.vector.id.starts_with(*prefix)));
    if let Some(prefix) = unmatched {
        return Err(Failure::Usage(format!(
            "no vector's id begins with {prefix:?}; ids stand in fixtures/vectors"
        )));
    }
    if !prefixes.is_empty() {
        cases.retain(|case| prefixes.iter().any(|prefix| case.vector.id.starts_with(prefix)));
    }
    Ok(cases)
}

/// The adapter; the built-in server's rules are this program again, as another process.
fn respondent(adapter: &Adapter) -> Result<Respondent, Failure> {
    let limit = Duration::from_secs(adapter.limit);
    let started = match &adapter.exec {
        Some(command) => Respondent::start(command, limit),
        None => {
            let program = std::env::current_exe()
                .map_err(|error| Failure::Fault(format!("where is this program? {error}")))?;
            let mut program = Command::new(program);
            program.args(["vectors", "answer"]);
            Respondent::spawn(program, "determinant vectors answer", limit)
        }
    };
    started.map_err(|fault| Failure::Fault(fault.to_string()))
}

/// The beginning of the command that repeats a case.
fn command(adapter: &Adapter) -> String {
    match &adapter.exec {
        Some(command) => format!("determinant vectors run --exec '{}'", command.replace('\'', r"'\''")),
        None => "determinant vectors run".to_owned(),
    }
}

fn progress(length: usize, unit: &str) -> ProgressBar {
    let progress = ProgressBar::new(length as u64);
    let template = format!("{{wide_bar}} {{pos}}/{{len}} {unit} {{msg}} {{eta}}");
    match ProgressStyle::with_template(&template) {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}
