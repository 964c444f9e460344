//! Why a history was refuted, for people.

use super::history::{Interval, Outcome};
use super::model::Model;
use core::fmt;

/// How many calls of the prefix are shown.
const SHOWN: usize = 8;

/// The best attempt at an order, and what stopped it.
///
/// The attempt is one of the longest; the history may be wrong earlier than where it ends, and a
/// call that blocks may be the victim of another that lied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The keys of the part that was refuted; empty when the history was judged as one.
    pub part: String,
    /// The calls in the order of the attempt: positions in the history.
    pub prefix: Vec<usize>,
    /// The call that had to be next at the latest: its position in the history. It returned first
    /// of all that were open, and neither it nor another open call had an effect that fits.
    pub blocked: usize,
    /// The calls that could have been next in time, the blocked one among them.
    pub open: Vec<usize>,
    /// Calls of the part that have a response.
    pub calls: usize,
    text: String,
}

/// What the search hands over.
pub(super) struct Attempt {
    pub(super) prefix: Vec<usize>,
    pub(super) blocked: usize,
    pub(super) open: Vec<usize>,
    pub(super) calls: usize,
}

impl Report {
    pub(super) fn new<M: Model>(
        history: &[Interval<M::Call, M::Response>],
        part: &str,
        state: &M::State,
        attempt: Attempt,
    ) -> Self {
        let line = |index: &usize| format!("  {}\n", describe(&history[*index], *index));
        let Attempt { prefix, blocked, open, calls } = attempt;
        let of_part = if part.is_empty() { String::new() } else { format!(" of {part}") };
        let taken = prefix.iter().filter(|&&index| history[index].response().is_some());
        let mut text = format!(
            "no order explains the {calls} calls{of_part} that returned; \
             the longest attempt has {}:\n",
            taken.count()
        );
        let shown = &prefix[prefix.len().saturating_sub(SHOWN)..];
        if prefix.len() > shown.len() {
            text += &format!("  … {} before\n", prefix.len() - shown.len());
        }
        text.extend(shown.iter().map(line));
        text += &format!("state then: {state:?}\nblocked:\n");
        text += &line(&blocked);
        if open.len() > 1 {
            text += "no help from what else was open:\n";
            text.extend(open.iter().filter(|&&index| index != blocked).map(line));
        }
        Self { part: part.to_owned(), prefix, blocked, open, calls, text }
    }
}

fn describe<C: fmt::Debug, R: fmt::Debug>(interval: &Interval<C, R>, index: usize) -> String {
    let Interval { client, invoked, call, outcome } = interval;
    match outcome {
        Outcome::Returned { at, response } => {
            format!("#{index} client {client} [{invoked}, {at}] {call:?} -> {response:?}")
        }
        Outcome::Unknown => format!("#{index} client {client} [{invoked}, …) {call:?} -> unknown"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
