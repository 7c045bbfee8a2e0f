//! Putting cases to an implementation.

use crate::agreement::{Agreement, compare};
use crate::published::Case;
use crate::respondent::{AdapterFault, Respondent};

/// How many questions are under way at once: enough that neither side waits for the other.
const UNDER_WAY: usize = 64;

/// What came of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<'a> {
    /// The case.
    pub case: &'a Case,
    /// How the given answer compares with the right one.
    pub agreement: Agreement,
}

/// The adapter gave no usable answer to a case.
#[derive(Debug, thiserror::Error)]
#[error("at {case}: {fault}")]
pub struct RunFault {
    /// The id of the case.
    pub case: String,
    /// What happened.
    pub fault: AdapterFault,
}

/// Puts every case to an implementation, in order, and tells what came of each.
///
/// # Errors
/// When the adapter gives no usable answer; the cases before were told.
pub fn run<'a>(
    respondent: &mut Respondent,
    cases: &'a [Case],
    mut tell: impl FnMut(Outcome<'a>),
) -> Result<(), RunFault> {
    for cases in cases.chunks(UNDER_WAY) {
        let questions: Vec<_> = cases.iter().map(|case| case.question.clone()).collect();
        let first = respondent.asked();
        let answers = respondent.ask_all(&questions).map_err(|fault| {
            let index = fault.question_id().and_then(|id| usize::try_from(id - first).ok());
            let case = index.and_then(|index| cases.get(index)).or(cases.first());
            RunFault { case: case.map_or_else(String::new, |case| case.vector.id.clone()), fault }
        })?;
        for (case, answer) in cases.iter().zip(&answers) {
            tell(Outcome { case, agreement: compare(&case.vector.answer, answer) });
        }
    }
    Ok(())
}
