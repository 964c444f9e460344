//! Every answer of the key-value store and of leases, held against the truth.

use node::{Failure, Header, LeaseTime, Request};
use protocol::Time;
use store::{Command, Error, LeaseId, Outcome, Range, RangeResult, Txn};

use super::sound;
use super::truth::Truth;
use super::words;
use crate::check::ledger::{Ledger, in_the_log};
use crate::history::{Answer, Ending, Operation, Told};
use crate::seen::{Violation, seconds};

/// The law of wrong answers.
const KV: &str = "KV";
/// The law of real time: nothing older than what was over before the call, nothing from the future.
const REAL_TIME: &str = "real time";
/// The law of the past: what is compacted is refused, what is not is readable.
const MI3: &str = "MI3";

/// How many answers were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Answered writes.
    pub writes: usize,
    /// Answered reads, transactions that only read among them.
    pub reads: usize,
    /// Of them, those that any replica's own state may answer.
    pub serializable: usize,
    /// Of them, those at a given revision.
    pub past: usize,
    /// Answered questions about leases, and renewals.
    pub leases: usize,
    /// Reads that were refused as compacted or in the future.
    pub unreadable: usize,
}

/// Judges all answers.
///
/// # Errors
/// The first, in the order of calls, that cannot have been right.
pub fn judge(
    operations: &[Operation],
    truth: &Truth,
    ledger: &Ledger,
) -> Result<Judged, Violation> {
    let mut judged = Judged::default();
    let (mut called, mut told) = (0, 0);
    for operation in operations {
        let Some(returned) = operation.returned else { continue };
        let header = match &operation.ending {
            Ending::Answered(answer) => answer.header,
            Ending::Refused(_, header) => *header,
            Ending::Unknown => continue,
        };
        called = truth.moment_before_near(operation.called, called);
        told = truth.moment_at_near(returned, told);
        let case = Case {
            operation,
            truth,
            ledger,
            header,
            returned,
            from: if confirmed(operation) { called } else { 0 },
            to: told,
        };
        match &operation.ending {
            Ending::Answered(answer) => case.answered(answer, &mut judged)?,
            Ending::Refused(why, _) => case.refused(*why, &mut judged)?,
            Ending::Unknown => {}
        }
    }
    Ok(judged)
}

/// Whether the state that an operation met is as new as its call: an answer is, and a refusal by
/// that state; everything else a replica says by itself.
fn confirmed(operation: &Operation) -> bool {
    let by_state = match &operation.ending {
        Ending::Answered(_) => true,
        Ending::Refused(Failure::Store(error), _) => in_the_log(*error),
        Ending::Refused(..) | Ending::Unknown => false,
    };
    by_state && !local(&operation.request)
}

/// Whether a replica answers from its own state.
fn local(request: &Request) -> bool {
    match request {
        Request::Range { serializable, .. } | Request::ReadTxn { serializable, .. } => {
            *serializable
        }
        Request::Members { linearizable } => !*linearizable,
        Request::HashKv { .. } | Request::Status | Request::Settle | Request::MoveLeader(_) => true,
        Request::Write(_)
        | Request::Once { .. }
        | Request::Compact { .. }
        | Request::LeaseRenew(_)
        | Request::LeaseTimeToLive { .. }
        | Request::Leases
        | Request::Alarms
        | Request::Barrier
        | Request::MemberChange(_) => false,
    }
}

/// One operation that came back, and the moments at which it may have happened.
struct Case<'a> {
    operation: &'a Operation,
    truth: &'a Truth<'a>,
    ledger: &'a Ledger,
    header: Header,
    returned: Time,
    from: usize,
    to: usize,
}

impl Case<'_> {
    fn broken(&self, law: &'static str, what: impl std::fmt::Display) -> Violation {
        let what = format!("{} {what}", words::operation(self.operation));
        Violation { law, at: self.returned, what }
    }

    /// The moments at which the answer may have been made: its header's revision was the newest
    /// then, and the time fits.
    fn moments(&self) -> Result<(usize, usize), Violation> {
        let (low, high) = (self.truth.revision(self.from), self.truth.revision(self.to));
        let shown = self.header.revision;
        if shown > high {
            let what = format!("shows the future: at its return the newest revision was {high}");
            return Err(self.broken(REAL_TIME, what));
        }
        if shown < low {
            let what = format!("is stale: before its call, revision {low} was committed");
            return Err(self.broken(REAL_TIME, what));
        }
        let moments = self
            .truth
            .moments_of(shown)
            .map(|moments| ((*moments.start()).max(self.from), (*moments.end()).min(self.to)));
        match moments {
            Some((from, to)) if from <= to => Ok((from, to)),
            Some(_) | None => {
                Err(self.broken(KV, "shows a revision that was never the newest one"))
            }
        }
    }

    fn answered(&self, answer: &Answer, judged: &mut Judged) -> Result<(), Violation> {
        let (first, last) = self.moments()?;
        let wrong_kind = || Err(self.broken(KV, format!("was told {:?}", answer.told)));
        match (&*self.operation.request, &answer.told) {
            (Request::Range { range, serializable }, Told::Range { revision, result }) => {
                judged.reads += 1;
                judged.serializable += usize::from(*serializable);
                judged.past += usize::from(range.revision > 0);
                self.range(range, *revision, result, first)
            }
            (Request::ReadTxn { txn, serializable }, Told::Outcome(outcome)) => {
                judged.reads += 1;
                judged.serializable += usize::from(*serializable);
                self.read_txn(txn, outcome)
            }
            (Request::LeaseRenew(id), Told::Renewed(ttl)) => {
                judged.leases += 1;
                self.renewed(*id, *ttl)
            }
            (Request::LeaseTimeToLive { id, keys }, Told::TimeToLive(time)) => {
                judged.leases += 1;
                self.time_to_live(*id, *keys, time.as_ref(), first, last)
            }
            (Request::Leases, Told::Leases(told)) => {
                judged.leases += 1;
                self.leases(told, first, last)
            }
            // The ledger has compared it.
            (Request::Write(_), Told::Outcome(_))
            | (Request::Compact { .. }, Told::Outcome(_) | Told::Done) => {
                judged.writes += 1;
                Ok(())
            }
            (
                Request::HashKv { .. }
                | Request::Members { .. }
                | Request::Alarms
                | Request::Status
                | Request::Settle
                | Request::Barrier
                | Request::MoveLeader(_)
                | Request::MemberChange(_),
                Told::Done,
            ) => Ok(()),
            (
                Request::Write(_)
                | Request::Once { .. }
                | Request::Compact { .. }
                | Request::Range { .. }
                | Request::ReadTxn { .. }
                | Request::LeaseRenew(_)
                | Request::LeaseTimeToLive { .. }
                | Request::Leases
                | Request::HashKv { .. }
                | Request::Members { .. }
                | Request::Alarms
                | Request::Status
                | Request::Settle
                | Request::Barrier
                | Request::MoveLeader(_)
                | Request::MemberChange(_),
                _,
            ) => wrong_kind(),
        }
    }

    fn range(
        &self,
        range: &Range,
        revision: i64,
        result: &RangeResult,
        first: usize,
    ) -> Result<(), Violation> {
        if range.keys.key.is_empty() {
            return Err(self.broken(KV, "was answered without a key"));
        }
        if revision > self.header.revision || (range.revision > 0 && revision != range.revision) {
            return Err(self.broken(KV, format!("was read at revision {revision}")));
        }
        self.recent(revision, range.revision > 0)?;
        self.readable(revision, first)?;
        let expected = self.truth.read(range, revision);
        if *result == expected {
            return Ok(());
        }
        let what = format!("found {result:?} at revision {revision}, where there is {expected:?}");
        Err(self.broken(KV, what))
    }

    /// A read of the latest revision sees all that was committed before its call.
    fn recent(&self, revision: i64, past: bool) -> Result<(), Violation> {
        let least = self.truth.revision(self.from);
        if past || revision >= least {
            return Ok(());
        }
        let what = format!(
            "is stale: it read revision {revision}, and revision {least} was committed before \
             {:.3} s",
            seconds(self.operation.called)
        );
        Err(self.broken(REAL_TIME, what))
    }

    /// A revision was read that was not compacted yet when the answer was made.
    fn readable(&self, revision: i64, first: usize) -> Result<(), Violation> {
        let compacted = self.truth.compact_revision(first);
        if revision >= compacted {
            return Ok(());
        }
        let what = format!("read revision {revision}, and all before {compacted} was compacted");
        Err(self.broken(MI3, what))
    }

    fn read_txn(&self, txn: &Txn, outcome: &Outcome) -> Result<(), Violation> {
        let least = self.truth.revision(self.from).max(1);
        let most = self.header.revision;
        let answers = |at: i64| self.truth.read_txn(txn, at).is_some_and(|it| it == *outcome);
        let right = match revision_of(outcome) {
            Some(at) => {
                if at > most {
                    return Err(self.broken(KV, format!("was read at revision {at}")));
                }
                self.recent(at, false)?;
                at >= 1 && answers(at)
            }
            // Without a read in it nothing tells the revision: any within its time will do.
            None => (least..=most).rev().any(answers),
        };
        if right {
            return Ok(());
        }
        let at = revision_of(outcome).unwrap_or(most);
        let expected = self.truth.read_txn(txn, at);
        let what = format!("was told {outcome:?}; revision {at} gives {expected:?}");
        Err(self.broken(KV, what))
    }

    fn renewed(&self, id: LeaseId, ttl: i64) -> Result<(), Violation> {
        let entries = self.ledger.renewals.get(&id).map(Vec::as_slice).unwrap_or_default();
        let mut under_way =
            entries.iter().copied().filter(|entry| self.from <= *entry && *entry < self.to);
        let granted = |entry: usize| match self.truth.outcome(entry) {
            Some(Ok(Outcome::LeaseRenew(renewed))) => {
                renewed.iter().any(|(renewed, granted)| *renewed == id && *granted == ttl)
            }
            Some(_) | None => false,
        };
        let fits =
            |entry: usize| self.truth.revision(entry + 1) == self.header.revision && granted(entry);
        if under_way.any(fits) {
            return Ok(());
        }
        let what = format!("got {ttl} s, and no renewal of that lease in the log says so");
        Err(self.broken("L5", what))
    }

    fn time_to_live(
        &self,
        id: LeaseId,
        keys: bool,
        told: Option<&LeaseTime>,
        first: usize,
        last: usize,
    ) -> Result<(), Violation> {
        let at = |moment: usize| {
            let left = self.truth.left(id, moment)?;
            let remaining = i64::try_from(left.remaining_ms / 1000).unwrap_or(i64::MAX);
            let keys = if keys { self.truth.attached(id, moment) } else { Vec::new() };
            Some(LeaseTime { remaining, granted: left.granted, keys })
        };
        if (first..=last).any(|moment| at(moment).as_ref() == told) {
            return Ok(());
        }
        let what =
            format!("was told {told:?}, expected between {:?} and {:?}", at(first), at(last));
        Err(self.broken("L5", what))
    }

    fn leases(&self, told: &[LeaseId], first: usize, last: usize) -> Result<(), Violation> {
        if (first..=last).any(|moment| self.truth.leases(moment) == told) {
            return Ok(());
        }
        let expected = self.truth.leases(last);
        Err(self.broken("L6", format!("was told {told:?}, where there were {expected:?}")))
    }

    /// A refusal is right where the state, or the request, justifies it.
    fn refused(&self, why: Failure, judged: &mut Judged) -> Result<(), Violation> {
        let (_, last) = self.moments()?;
        let Failure::Store(error) = why else { return Ok(()) };
        let justified = match &*self.operation.request {
            Request::Range { range, .. } => match error {
                Error::EmptyKey => range.keys.key.is_empty(),
                _ => self.unreadable(error, range, last, range.revision > 0),
            },
            Request::ReadTxn { txn, .. } => self.refused_txn(error, txn, last),
            Request::Write(command) => self.refused_write(error, command),
            Request::HashKv { .. } => true,
            Request::Compact { .. }
            | Request::Once { .. }
            | Request::LeaseRenew(_)
            | Request::LeaseTimeToLive { .. }
            | Request::Leases
            | Request::Members { .. }
            | Request::Alarms
            | Request::Status
            | Request::Settle
            | Request::Barrier
            | Request::MoveLeader(_)
            | Request::MemberChange(_) => true,
        };
        judged.unreadable += usize::from(matches!(
            (&*self.operation.request, error),
            (
                Request::Range { .. } | Request::ReadTxn { .. },
                Error::Compacted | Error::FutureRevision
            )
        ));
        if justified {
            return Ok(());
        }
        let compacted = self.truth.compact_revision(last);
        let what = format!("without a reason: the compact revision was {compacted}");
        Err(self.broken(MI3, what))
    }

    /// Whether a read could not be done at one of the moments. `past`: it asked for a revision.
    fn unreadable(&self, error: Error, range: &Range, last: usize, past: bool) -> bool {
        match error {
            Error::Compacted => past && range.revision < self.truth.compact_revision(last),
            Error::FutureRevision => past && range.revision > self.header.revision,
            Error::Corrupt => self.truth.ever_corrupt(),
            _ => false,
        }
    }

    fn refused_txn(&self, error: Error, txn: &Txn, last: usize) -> bool {
        match error {
            Error::EmptyKey | Error::DuplicateKey => sound::flaw_of_txn(txn) == Some(error),
            Error::TooManyOps => true,
            Error::Compacted | Error::FutureRevision | Error::Corrupt => {
                // The path may have been chosen a little earlier than the header was made.
                let least = self.truth.revision(self.from).max(1);
                (least..=self.header.revision).any(|at| {
                    let mut unreadable = false;
                    self.truth.each_range(txn, at, |range| {
                        unreadable |= self.unreadable(error, range, last, range.revision != 0)
                            || (range.revision == 0 && self.overtaken(error, last));
                    });
                    unreadable
                }) || (error == Error::Corrupt && self.truth.ever_corrupt())
            }
            _ => false,
        }
    }

    /// Whether a compaction may have overtaken a read of the latest revision in a transaction that
    /// could not begin anew.
    fn overtaken(&self, error: Error, last: usize) -> bool {
        error == Error::Compacted
            && self.truth.compact_revision(last) > self.truth.revision(self.from)
    }

    /// What is refused before it gets into the log; the rest is the ledger's.
    fn refused_write(&self, error: Error, command: &Command) -> bool {
        match error {
            Error::EmptyKey | Error::DuplicateKey => sound::flaw(command) == Some(error),
            _ => true,
        }
    }
}

/// The revision that a read inside a transaction was made at; `None` when there is none.
fn revision_of(outcome: &Outcome) -> Option<i64> {
    let Outcome::Txn { responses, .. } = outcome else { return None };
    responses.iter().find_map(|(revision, inner)| match inner {
        Outcome::Txn { .. } => revision_of(inner),
        _ => Some(*revision),
    })
}
