//! The one verdict on all that clients saw.

use protocol::Time;
use store::Limits;

use super::{kv, lease, ledger, watch};
use crate::history::{Ending, History, Operation};
use crate::seen::Violation;

/// How much was judged: a verdict on nothing is worth nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Operations of all kinds.
    pub operations: usize,
    /// Those that were answered.
    pub answered: usize,
    /// Those that were refused.
    pub refused: usize,
    /// Those whose outcome is unknown.
    pub unknown: usize,
    /// Unknown writes that were done all the same.
    pub unknown_done: usize,
    /// What the answers were about.
    pub answers: kv::Judged,
    /// What watches were told.
    pub watches: watch::Judged,
    /// Keys whose operations were searched for an order, no revision believed.
    pub searched: kv::Searched,
    /// How leases ended.
    pub leases: lease::Judged,
    /// Entries in the committed log.
    pub entries: usize,
    /// The newest revision.
    pub revision: i64,
}

/// Judges a history under the limits that replicas have by default.
///
/// # Errors
/// The first law that was broken.
pub fn judge(history: &History) -> Result<Summary, Violation> {
    judge_within(history, Limits::default())
}

/// Judges a history of replicas with these limits.
///
/// # Errors
/// The first law that was broken.
pub fn judge_within(history: &History, limits: Limits) -> Result<Summary, Violation> {
    sane(&history.operations)?;
    let truth = kv::Truth::new(&history.truth, limits)?;
    let ledger = ledger::settle(&history.operations, &truth)?;
    let answers = kv::judge(&history.operations, &truth, &ledger)?;
    let watches = watch::judge(history, &truth)?;
    let leases = lease::judge(history, &truth, &ledger)?;
    let searched = kv::judge_by_search(&history.operations)?;
    let count = |of: fn(&Ending) -> bool| {
        history.operations.iter().filter(|operation| of(&operation.ending)).count()
    };
    Ok(Summary {
        operations: history.operations.len(),
        answered: count(|ending| matches!(ending, Ending::Answered(_))),
        refused: count(|ending| matches!(ending, Ending::Refused(..))),
        unknown: count(|ending| matches!(ending, Ending::Unknown)),
        unknown_done: ledger.unknown_done,
        answers,
        searched,
        watches,
        leases,
        entries: truth.len(),
        revision: truth.last_revision(),
    })
}

/// Operations come in the order of their calls, and whoever was told something was told at a time
/// after the call.
fn sane(operations: &[Operation]) -> Result<(), Violation> {
    let mut last = Time(0);
    for operation in operations {
        let told = !matches!(operation.ending, Ending::Unknown);
        let backwards = operation.returned.is_some_and(|returned| returned < operation.called);
        if operation.called < last || backwards || (told && operation.returned.is_none()) {
            let what = format!("is no history: {}", kv::words::operation(operation));
            return Err(Violation { law: "history", at: operation.called, what });
        }
        last = operation.called;
    }
    Ok(())
}
