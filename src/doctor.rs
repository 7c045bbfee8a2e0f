//! `determinant doctor`: looks at a live deployment and says what to do.

use std::{fmt::Write, process::ExitCode};

use reports::Verdict;
use serde_json::json;
use suite::doctor::{Examination, Finding, Manner, examine};

use crate::{Failure, arguments::Doctor, harness, say};

/// Verdicts in the order in which they are told, each with how a number of them is told.
const ORDER: [(Verdict, &str); 5] = [
    (Verdict::Fail, "broken"),
    (Verdict::Advice, "advised against"),
    (Verdict::Observed, "to be noted"),
    (Verdict::Pass, "as it should be"),
    (Verdict::NotApplicable, "not looked at"),
];

pub(crate) fn doctor(arguments: &Doctor) -> Result<ExitCode, Failure> {
    let manner = Manner {
        connect_to: arguments.connect_to.clone(),
        nameserver: arguments.nameserver,
        authorities: arguments.ca_file.clone(),
    };
    let examination = harness::wait_for(examine(&arguments.subject, &manner))?;
    say(told_in_words(&examination).trim_end());
    let code = exit_code(&examination);
    if arguments.json {
        let mut told = json!(examination);
        told["exit_code"] = json!(code);
        say(told);
    }
    Ok(ExitCode::from(code))
}

fn exit_code(examination: &Examination) -> u8 {
    match number(examination, Verdict::Fail) {
        _ if !examination.reached => 3,
        0 => 0,
        _ => 1,
    }
}

fn told_in_words(examination: &Examination) -> String {
    let mut text = format!("How other servers find {}:\n\n", examination.server_name);
    for step in &examination.steps {
        let _ = writeln!(text, "  {:<4} {}", step.number, step.text);
    }
    text.push('\n');
    for (verdict, _) in ORDER {
        let findings = examination.findings.iter().filter(|finding| finding.verdict == verdict);
        for finding in findings {
            tell(&mut text, finding);
        }
    }
    let totals = ORDER.into_iter().filter(|(verdict, _)| number(examination, *verdict) > 0);
    let totals = totals.map(|(verdict, words)| format!("{} {words}", number(examination, verdict)));
    let _ = writeln!(text, "\n{}", totals.collect::<Vec<_>>().join(", "));
    if !examination.reached {
        let _ = writeln!(text, "nothing of {} answers from here", examination.server_name);
    }
    text
}

/// What is well takes one line; anything else says what to do.
fn tell(text: &mut String, finding: &Finding) {
    let Finding { id, place, found, .. } = finding;
    let word = match finding.verdict {
        Verdict::Observed => "NOTE".to_owned(),
        Verdict::NotApplicable => "N/A".to_owned(),
        verdict => verdict.words().to_uppercase(),
    };
    let Some(advice) = &finding.advice else {
        let _ = writeln!(text, "{word:<6} {id}  {place}: {found}");
        return;
    };
    let _ = writeln!(text, "{word:<6} {id}");
    let _ = writeln!(text, "  {}", finding.requirement);
    if let Some(citation) = &finding.citation {
        let _ = writeln!(text, "  {} · {citation}", finding.level.as_str());
    }
    let _ = writeln!(text, "  at        {place}\n  found     {found}\n  to do     {advice}\n");
}

fn number(examination: &Examination, verdict: Verdict) -> usize {
    examination.findings.iter().filter(|finding| finding.verdict == verdict).count()
}
