//! Single keys, judged once more without trusting a revision.
//!
//! All else here believes the log. This does not: for a sample of keys it hands the puts, the
//! deletions and the reads of the key to the search of [`crate::check::wgl`], with nothing but
//! values, versions and times, so that a mistake in how revisions are read cannot hide a wrong
//! answer.
//!
//! A key is taken when only requests for it alone change it, without leases; of its operations the
//! first [`MOST_OPERATIONS`] are judged. What was called later, while one of them was still under
//! way, may have been seen by it, and stays as an operation of unknown outcome.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use node::Request;
use protocol::Time;
use store::{Command, KeyRange, KeyValue, Operation as Step, Outcome, Range, Txn};

use crate::check::wgl::{self, Budget, Interval, Verdict};
use crate::history::{Ending, Operation, Told};
use crate::seen::Violation;

/// Operations of one key that are judged.
const MOST_OPERATIONS: usize = 200;
/// Operations of unknown outcome among them, beyond which a key is left out.
const MOST_UNKNOWN: usize = 6;
/// Keys that are judged.
const MOST_KEYS: usize = 32;
/// What one key may cost.
const BUDGET: Budget = Budget { steps: 1_000_000, memo_bytes: 8 << 20, states: 10_000 };

/// How much was searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Keys.
    pub keys: usize,
    /// Their operations.
    pub operations: usize,
    /// Keys on which the search gave up.
    pub undecided: usize,
}

/// One key: its value and its version.
struct Cell;

type State = Option<(Bytes, i64)>;

#[derive(Debug, PartialEq, Eq)]
enum Call {
    Put(Bytes),
    Delete,
    Read,
}

/// What a call found; `None` where that was not told.
#[derive(Debug)]
struct Found(Option<State>);

impl wgl::Model for Cell {
    type State = State;
    type Call = Call;
    type Response = Found;

    fn initial(&self) -> State {
        None
    }

    fn step(&self, state: &State, call: &Call, response: Option<&Found>) -> Option<State> {
        if let Some(Found(Some(found))) = response
            && found != state
        {
            return None;
        }
        Some(match call {
            Call::Put(value) => {
                let version = state.as_ref().map_or(0, |(_, version)| *version);
                Some((value.clone(), version.saturating_add(1)))
            }
            Call::Delete => None,
            Call::Read => state.clone(),
        })
    }

    fn changes_nothing(&self, call: &Call, _response: Option<&Found>) -> bool {
        *call == Call::Read
    }
}

/// Judges a sample of keys.
///
/// # Errors
/// A key whose operations no order explains.
pub fn judge(operations: &[Operation]) -> Result<Searched, Violation> {
    let mut keys: BTreeMap<Bytes, Vec<&Operation>> = BTreeMap::new();
    let mut shared = Shared::default();
    for operation in operations {
        match sole_key(&operation.request) {
            Some(key) => keys.entry(key).or_default().push(operation),
            None => shared.note(&operation.request),
        }
    }
    let mut searched = Searched::default();
    for (key, operations) in keys {
        if searched.keys == MOST_KEYS {
            break;
        }
        if shared.touches(&key) {
            continue;
        }
        let Some(intervals) = intervals(&operations) else { continue };
        searched.keys += 1;
        searched.operations += intervals.len();
        match wgl::check(&Cell, &intervals, BUDGET) {
            Verdict::Linearizable => {}
            Verdict::Unknown => searched.undecided += 1,
            Verdict::Not(report) => {
                let what = format!("key {}: {report}", key.escape_ascii());
                let at = operations.iter().filter_map(|it| it.returned).max();
                return Err(Violation { law: "linearizable", at: at.unwrap_or_default(), what });
            }
        }
    }
    Ok(searched)
}

/// What was changed by requests that are not for one key alone.
#[derive(Default)]
struct Shared {
    keys: BTreeSet<Bytes>,
    ranges: Vec<KeyRange>,
}

impl Shared {
    fn note(&mut self, request: &Request) {
        match request {
            Request::Write(Command::Put(put)) => {
                self.keys.insert(put.key.clone());
            }
            Request::Write(Command::DeleteRange(delete)) => self.note_range(&delete.range),
            Request::Write(Command::Txn(txn)) => self.note_txn(txn),
            _ => {}
        }
    }

    fn note_range(&mut self, range: &KeyRange) {
        if range.is_single() {
            self.keys.insert(range.key.clone());
        } else if !self.ranges.contains(range) {
            self.ranges.push(range.clone());
        }
    }

    fn note_txn(&mut self, txn: &Txn) {
        for step in txn.success.iter().chain(&txn.failure) {
            match step {
                Step::Range(_) => {}
                Step::Put(put) => {
                    self.keys.insert(put.key.clone());
                }
                Step::DeleteRange(delete) => self.note_range(&delete.range),
                Step::Txn(nested) => self.note_txn(nested),
            }
        }
    }

    fn touches(&self, key: &Bytes) -> bool {
        self.keys.contains(key) || self.ranges.iter().any(|range| range.contains(key))
    }
}

/// The key of a request that is for it alone and that the cell understands.
fn sole_key(request: &Request) -> Option<Bytes> {
    match request {
        Request::Write(Command::Put(put)) if put.value.is_some() && put.lease == Some(None) => {
            Some(put.key.clone())
        }
        Request::Write(Command::DeleteRange(delete)) if delete.range.is_single() => {
            Some(delete.range.key.clone())
        }
        Request::Range { range, serializable: false } if is_plain(range) => {
            Some(range.keys.key.clone())
        }
        _ => None,
    }
}

/// Whether a read shows all of one key as it is now.
fn is_plain(range: &Range) -> bool {
    let bounded = range.limit > 0 || range.filter != store::Filter::default();
    let partial = range.keys_only || range.count_only;
    range.keys.is_single() && range.revision <= 0 && !bounded && !partial
}

/// The operations of a key as the search takes them; `None`: too much about them is unknown.
fn intervals(operations: &[&Operation]) -> Option<Vec<Interval<Call, Found>>> {
    let judged = operations.len().min(MOST_OPERATIONS);
    let until = operations[..judged].iter().filter_map(|it| it.returned).max().unwrap_or_default();
    let mut intervals = Vec::with_capacity(judged);
    let mut unknown = 0;
    for (number, operation) in operations.iter().enumerate() {
        let later = number >= judged;
        if later && operation.called > until {
            break;
        }
        let known = if later { None } else { returned(operation) };
        let call = call(&operation.request)?;
        if known.is_none() {
            // What was refused never happened, and what is unknown of a read is of no use.
            if call == Call::Read || refused(operation) {
                continue;
            }
            unknown += 1;
        }
        let outcome = match known {
            Some((at, response)) => wgl::Outcome::Returned { at: at.0, response },
            None => wgl::Outcome::Unknown,
        };
        let (client, invoked) = (u64::from(operation.client), operation.called.0);
        intervals.push(Interval { client, invoked, call, outcome });
    }
    (unknown <= MOST_UNKNOWN).then_some(intervals)
}

fn refused(operation: &Operation) -> bool {
    use node::Failure;
    match &operation.ending {
        Ending::Refused(Failure::Timeout | Failure::TimeoutLeaderLost | Failure::Stopped, _)
        | Ending::Answered(_)
        | Ending::Unknown => false,
        Ending::Refused(..) => true,
    }
}

fn call(request: &Request) -> Option<Call> {
    match request {
        Request::Write(Command::Put(put)) => Some(Call::Put(put.value.clone()?)),
        Request::Write(Command::DeleteRange(_)) => Some(Call::Delete),
        Request::Range { .. } => Some(Call::Read),
        _ => None,
    }
}

/// When an operation was answered, and what that says of the state it met.
fn returned(operation: &Operation) -> Option<(Time, Found)> {
    let Ending::Answered(answer) = &operation.ending else { return None };
    let cell = |kv: Option<&KeyValue>| kv.map(|kv| (kv.value.clone(), kv.version));
    let found = match (&*operation.request, &answer.told) {
        (Request::Write(Command::Put(put)), Told::Outcome(Outcome::Put { prev })) => {
            put.prev_kv.then(|| cell(prev.as_ref()))
        }
        (
            Request::Write(Command::DeleteRange(delete)),
            Told::Outcome(Outcome::DeleteRange { deleted, prev }),
        ) => (delete.prev_kv || *deleted == 0).then(|| cell(prev.first())),
        (_, Told::Range { result, .. }) => Some(cell(result.kvs.first())),
        _ => None,
    };
    Some((operation.returned?, Found(found)))
}
