//! The ledger of writes: what was acknowledged is in the log exactly once, what was refused is not
//! in it at all, and what nobody asked for is not in it either.
//!
//! Entries do not say who asked for them, so writes and entries are matched by content: each
//! answered write needs an entry of its own, with the same command and the same answer, committed
//! while the write was under way; each entry needs a write of its own that may have caused it. An
//! answered change is alone at its revision, which makes this a look-up; what is left (unknown
//! outcomes, writes that changed nothing) is matched by command, the earliest end first, which
//! finds a matching whenever there is one.
//!
//! The laws, as `RI15`:
//! - an answered write has its own entry, committed between call and return;
//! - a write that was refused at its place in the log has one too, and it changed nothing;
//! - any other refused write has none;
//! - an entry that a client can cause has a cause: no retry doubles a write;
//! - a write that its client has numbered is found by its number instead: it is done by one entry,
//!   however often it was sent, and every attempt is answered as that entry answers (`XI1`);
//! - a renewal in the log was asked for by somebody who may still have been waiting.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use node::{Failure, Request};
use protocol::Time;
use store::{Command, Error, LeaseId, Outcome, Stamp};

use super::kv::{Truth, words};
use super::mixer::Mixer;
use crate::history::{Ending, Operation, Told};
use crate::seen::{Violation, seconds};

/// The law's name.
const LAW: &str = "RI15";
/// The law of numbered writes.
const NUMBERED: &str = "XI1";

/// Which entry each operation caused.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// By operation: its entry, where it has one.
    pub places: Vec<Option<usize>>,
    /// Writes with an unknown outcome that were done.
    pub unknown_done: usize,
    /// The entries that renew a lease, ascending.
    pub(crate) renewals: BTreeMap<LeaseId, Vec<usize>>,
}

/// What a write must find in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// An entry of its own, committed by this time.
    Must(Time),
    /// An entry of its own at any time, or none.
    May,
    /// None.
    MustNot,
}

/// All writes and entries with one command.
#[derive(Default)]
struct Group {
    /// Operations in the order of their calls, with what they must find.
    wishes: Vec<(usize, Duty)>,
    /// Entries in order.
    places: Vec<usize>,
}

/// Groups in the order in which their commands were met.
#[derive(Default)]
struct Groups<'a> {
    named: HashMap<&'a Command, usize, BuildHasherDefault<Mixer>>,
    all: Vec<Group>,
}

impl<'a> Groups<'a> {
    fn of(&mut self, command: &'a Command) -> &mut Group {
        let place = *self.named.entry(command).or_insert_with(|| {
            self.all.push(Group::default());
            self.all.len() - 1
        });
        &mut self.all[place]
    }
}

/// Settles all accounts.
///
/// # Errors
/// The first account that does not balance.
pub fn settle(operations: &[Operation], truth: &Truth) -> Result<Ledger, Violation> {
    let mut ledger = Ledger { places: vec![None; operations.len()], ..Ledger::default() };
    let compactions = compactions(operations);
    let mut groups = Groups::default();
    let mut taken = vec![None; truth.len()];
    for (number, operation) in operations.iter().enumerate() {
        let Some(command) = asked(operation).or_else(|| compactions.get(&number)) else { continue };
        if let Some(stamp) = &operation.stamp {
            numbered(number, operation, (stamp, command), truth, &mut ledger)?;
            continue;
        }
        let Some(place) = place_of_change(operation, command, truth) else {
            groups.of(command).wishes.push((number, duty(operation)));
            continue;
        };
        if let Some(other) = taken[place].replace(number) {
            return Err(shared(&operations[other], operation, place, truth));
        }
        in_time(operation, place, truth)?;
        ledger.places[number] = Some(place);
    }
    numbered_were_asked_for(operations, truth)?;
    for place in (0..truth.len()).filter(|place| taken[*place].is_none()) {
        if truth.stamp(place).is_some() {
            continue;
        }
        match truth.command(place) {
            None
            | Some(
                Command::Tick { .. }
                | Command::Publish(_)
                | Command::Alarm { .. }
                | Command::StateHash { .. }
                | Command::Once { .. }
                | Command::SpaceReport { .. }
                | Command::Recovered(_)
                | Command::Member(_)
                | Command::Settle { .. },
            ) => {}
            Some(Command::LeaseRenew { ids }) => {
                for id in ids.iter().collect::<BTreeSet<_>>() {
                    ledger.renewals.entry(*id).or_default().push(place);
                }
            }
            Some(
                command @ (Command::Put(_)
                | Command::DeleteRange(_)
                | Command::Txn(_)
                | Command::Compact { .. }
                | Command::LeaseGrant { .. }
                | Command::LeaseRevoke { .. }),
            ) => groups.of(command).places.push(place),
        }
    }
    for group in &groups.all {
        group.settle(operations, truth, &mut ledger)?;
    }
    renewals_were_asked_for(operations, truth, &ledger)?;
    Ok(ledger)
}

/// A numbered write has one entry, found by its number: the one answer of all its attempts is that
/// entry's.
fn numbered(
    number: usize,
    operation: &Operation,
    (stamp, command): (&Stamp, &Command),
    truth: &Truth,
    ledger: &mut Ledger,
) -> Result<(), Violation> {
    let at = operation.returned.unwrap_or(operation.called);
    let said = || words::operation(operation);
    let broken = |what: String| Err(Violation { law: NUMBERED, at, what });
    let place = truth.first(stamp);
    match (duty(operation), place) {
        (Duty::Must(_), None) => broken(format!("{} was never done", said())),
        (Duty::MustNot, Some(place)) => {
            broken(format!("{} was refused, and done at {}", said(), truth.position(place)))
        }
        (Duty::May | Duty::MustNot, None) => Ok(()),
        (duty, Some(place)) => {
            if truth.command(place) != Some(command) {
                let position = truth.position(place);
                return broken(format!("{} is another write at {position}", said()));
            }
            if matches!(duty, Duty::Must(_)) && !fits(operation, place, truth) {
                return broken(format!(
                    "{} was told {}, but was first done at {}, which answers {:?} at revision {}",
                    said(),
                    told(operation),
                    truth.position(place),
                    truth.outcome(place),
                    truth.revision(place + 1)
                ));
            }
            ledger.unknown_done += usize::from(duty == Duty::May);
            ledger.places[number] = Some(place);
            in_time(operation, place, truth)
        }
    }
}

/// Every numbered write in the log is some client's.
fn numbered_were_asked_for(operations: &[Operation], truth: &Truth) -> Result<(), Violation> {
    let asked: BTreeSet<_> = operations.iter().filter_map(|it| it.stamp).collect();
    let asked: BTreeSet<_> = asked.iter().map(|it| (it.client(), it.sequence())).collect();
    let stamps = (0..truth.len()).filter_map(|place| Some((place, truth.stamp(place)?)));
    for (place, stamp) in stamps {
        if !asked.contains(&(stamp.client(), stamp.sequence())) {
            let what = format!("write {stamp:?} at {} is nobody's", truth.position(place));
            return Err(Violation { law: NUMBERED, at: truth.at(place), what });
        }
    }
    Ok(())
}

/// The commands of requests that only mean one.
fn compactions(operations: &[Operation]) -> BTreeMap<usize, Command> {
    let compact = |(number, operation): (usize, &Operation)| match &*operation.request {
        Request::Compact { revision, .. } => {
            Some((number, Command::Compact { revision: *revision }))
        }
        Request::Write(_)
        | Request::Once { .. }
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
        | Request::MemberChange(_) => None,
    };
    operations.iter().enumerate().filter_map(compact).collect()
}

/// The command of a write that has an entry to itself.
fn asked(operation: &Operation) -> Option<&Command> {
    match &*operation.request {
        Request::Write(
            command @ (Command::Put(_)
            | Command::DeleteRange(_)
            | Command::Txn(_)
            | Command::Compact { .. }
            | Command::LeaseGrant { .. }
            | Command::LeaseRevoke { .. }),
        ) => Some(command),
        _ => None,
    }
}

fn duty(operation: &Operation) -> Duty {
    match (&operation.ending, operation.returned) {
        (Ending::Answered(_), Some(returned)) => Duty::Must(returned),
        (Ending::Answered(_) | Ending::Unknown, _) => Duty::May,
        (Ending::Refused(Failure::Store(error), _), Some(returned)) if in_the_log(*error) => {
            Duty::Must(returned)
        }
        (Ending::Refused(why, _), _) => match why {
            Failure::Timeout | Failure::TimeoutLeaderLost | Failure::Stopped => Duty::May,
            Failure::Store(_)
            | Failure::NoLeader
            | Failure::LeaderChanged
            | Failure::TooManyRequests
            | Failure::NoSpace
            | Failure::NotLeader
            | Failure::BadTransferee
            | Failure::StaticMembers
            | Failure::FixedLeader
            | Failure::DiskFull
            | Failure::NotServing
            | Failure::Unreadable => Duty::MustNot,
        },
    }
}

/// Whether an error can only be known at a place in the log.
pub(super) const fn in_the_log(error: Error) -> bool {
    match error {
        Error::KeyNotFound
        | Error::LeaseNotFound
        | Error::LeaseExists
        | Error::LeaseTtlTooLarge
        | Error::Compacted
        | Error::FutureRevision
        | Error::NoSpace
        | Error::Corrupt
        | Error::MemberIdExists
        | Error::PeerUrlExists
        | Error::MemberNotFound
        | Error::BadPeerUrls
        | Error::NotEnoughStarted
        | Error::MemberNotLearner
        | Error::LearnerNotReady
        | Error::TooManyLearners
        | Error::Unhealthy
        | Error::TooManyWishes => true,
        Error::EmptyKey
        | Error::ValueProvided
        | Error::LeaseProvided
        | Error::TooManyOps
        | Error::DuplicateKey
        | Error::InvalidSortOption
        | Error::RequestTooLarge
        | Error::StampForgotten
        | Error::SessionUnknown
        | Error::TooManySessions
        | Error::AnswerForgotten => false,
    }
}

/// The entry that made the revision of an answer, if it is this command and answers so.
fn place_of_change(operation: &Operation, command: &Command, truth: &Truth) -> Option<usize> {
    let Ending::Answered(answer) = &operation.ending else { return None };
    match command {
        Command::Put(_) | Command::DeleteRange(_) | Command::Txn(_) => {}
        // The end of a lease answers alike whether or not it changed a key.
        Command::Compact { .. }
        | Command::LeaseGrant { .. }
        | Command::LeaseRevoke { .. }
        | Command::LeaseRenew { .. }
        | Command::Tick { .. }
        | Command::Alarm { .. }
        | Command::Publish(_)
        | Command::StateHash { .. }
        | Command::Once { .. }
        | Command::SpaceReport { .. }
        | Command::Recovered(_)
        | Command::Member(_)
        | Command::Settle { .. } => return None,
    }
    let place = truth.maker(answer.header.revision)?;
    (truth.command(place)? == command && fits(operation, place, truth)).then_some(place)
}

/// Whether an operation was answered as this entry answers.
fn fits(operation: &Operation, place: usize, truth: &Truth) -> bool {
    let newest = truth.revision(place + 1);
    match (&operation.ending, truth.outcome(place)) {
        (Ending::Answered(answer), Some(Ok(outcome))) => {
            let shown = answer.header.revision;
            // Space is given up later, and the answer waits for it.
            let late = matches!(&*operation.request, Request::Compact { physical: true, .. });
            let told = match &answer.told {
                Told::Outcome(told) => told == outcome,
                Told::Done => *outcome == Outcome::Done,
                Told::Range { .. } | Told::Renewed(_) | Told::TimeToLive(_) | Told::Leases(_) => {
                    false
                }
            };
            told && (shown == newest || (late && shown >= newest))
        }
        (Ending::Refused(Failure::Store(error), header), Some(Err(expected))) => {
            error == expected && header.revision == newest
        }
        (Ending::Answered(_) | Ending::Refused(..) | Ending::Unknown, _) => false,
    }
}

/// An answered change was committed while it was under way.
fn in_time(operation: &Operation, place: usize, truth: &Truth) -> Result<(), Violation> {
    let at = truth.at(place);
    if operation.called <= at && operation.returned.is_none_or(|returned| at <= returned) {
        return Ok(());
    }
    let when = if at < operation.called { "before it was asked for" } else { "after the answer" };
    let what = format!(
        "{} stands at {}, committed at {:.3} s, {when}",
        words::operation(operation),
        truth.position(place),
        seconds(at),
    );
    Err(Violation { law: LAW, at: operation.returned.unwrap_or(operation.called), what })
}

fn shared(one: &Operation, other: &Operation, place: usize, truth: &Truth) -> Violation {
    let what = format!(
        "two acknowledged writes share the entry {}: {}; and {}",
        truth.position(place),
        words::operation(one),
        words::operation(other)
    );
    Violation { law: LAW, at: other.returned.unwrap_or(other.called), what }
}

impl Group {
    /// Gives each entry its cause, and each write that must have one its entry.
    fn settle(
        &self,
        operations: &[Operation],
        truth: &Truth,
        ledger: &mut Ledger,
    ) -> Result<(), Violation> {
        let mut coming = self.wishes.iter().copied().peekable();
        let mut open: Vec<(Time, usize)> = Vec::new();
        let mut unknown: VecDeque<usize> = VecDeque::new();
        for place in self.places.iter().copied() {
            let at = truth.at(place);
            while let Some((number, duty)) =
                coming.next_if(|(number, _)| operations[*number].called <= at)
            {
                match duty {
                    Duty::Must(until) => open.push((until, number)),
                    Duty::May => unknown.push_back(number),
                    Duty::MustNot => {}
                }
            }
            if let Some((_, late)) = open.iter().find(|(until, _)| *until < at) {
                return Err(self.unfounded(&operations[*late], truth));
            }
            let fitting = open
                .iter()
                .enumerate()
                .filter(|(_, (_, number))| fits(&operations[*number], place, truth));
            let first = fitting.min_by_key(|(_, wish)| **wish).map(|(slot, _)| slot);
            let cause = match first {
                Some(slot) => open.swap_remove(slot).1,
                None => {
                    let Some(number) = unknown.pop_front() else {
                        return Err(self.uncaused(operations, place, truth, &open));
                    };
                    ledger.unknown_done += 1;
                    number
                }
            };
            ledger.places[cause] = Some(place);
        }
        let left = coming.filter(|(_, duty)| matches!(duty, Duty::Must(_)));
        let left = open.iter().map(|(_, number)| *number).chain(left.map(|(number, _)| number));
        match left.min() {
            Some(number) => Err(self.unfounded(&operations[number], truth)),
            None => Ok(()),
        }
    }

    /// A write was answered, and the log does not bear it out.
    fn unfounded(&self, operation: &Operation, truth: &Truth) -> Violation {
        let at = operation.returned.unwrap_or(operation.called);
        let said = words::operation(operation);
        let under_way =
            |place: &&usize| operation.called <= truth.at(**place) && truth.at(**place) <= at;
        let near = self.places.iter().find(under_way);
        let Some(place) = near.copied() else {
            let elsewhere = self.places.iter().map(|place| truth.position(*place).to_string());
            let elsewhere = elsewhere.collect::<Vec<_>>().join(", ");
            let what = format!(
                "{said} has no entry of its own in the log while it was under way (the same \
                 command stands at: {})",
                if elsewhere.is_empty() { "no place" } else { &elsewhere }
            );
            return Violation { law: LAW, at, what };
        };
        let what = format!(
            "{said} was told {}, but {} at {} answers {:?} at revision {}",
            told(operation),
            truth.command(place).map(words::command).unwrap_or_default(),
            truth.position(place),
            truth.outcome(place),
            truth.revision(place + 1)
        );
        Violation { law: "KV", at, what }
    }

    /// An entry is in the log that nobody asked for, or not so often.
    fn uncaused(
        &self,
        operations: &[Operation],
        place: usize,
        truth: &Truth,
        open: &[(Time, usize)],
    ) -> Violation {
        if let Some((_, number)) = open.first() {
            return self.unfounded(&operations[*number], truth);
        }
        let entry = format!(
            "{} at {}, committed at {:.3} s,",
            truth.command(place).map(words::command).unwrap_or_default(),
            truth.position(place),
            seconds(truth.at(place)),
        );
        let refused = self.wishes.iter().find(|(_, duty)| *duty == Duty::MustNot);
        let what = match (refused, self.wishes.first()) {
            (Some((number, _)), _) => {
                format!("{entry} was refused: {}", words::operation(&operations[*number]))
            }
            (None, Some((number, _))) => {
                let asker = words::operation(&operations[*number]);
                format!("{entry} is there more often than it was asked for: {asker}")
            }
            (None, None) => format!("{entry} was never asked for"),
        };
        Violation { law: LAW, at: truth.at(place), what }
    }
}

fn told(operation: &Operation) -> String {
    match &operation.ending {
        Ending::Answered(answer) => format!("{:?}", answer.told),
        Ending::Refused(why, _) => format!("{why:?}"),
        Ending::Unknown => "nothing".into(),
    }
}

/// Renewals travel together: an entry may serve many, but needs one at least that was under way.
fn renewals_were_asked_for(
    operations: &[Operation],
    truth: &Truth,
    ledger: &Ledger,
) -> Result<(), Violation> {
    let mut asked: BTreeMap<LeaseId, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        match &*operation.request {
            Request::LeaseRenew(id) => asked.entry(*id).or_default().push(operation),
            Request::Write(Command::LeaseRenew { ids }) => {
                ids.iter().for_each(|id| asked.entry(*id).or_default().push(operation));
            }
            _ => {}
        }
    }
    for (id, places) in &ledger.renewals {
        let mut coming = asked.get(id).into_iter().flatten().peekable();
        let (mut open, mut unknown) = (Vec::new(), 0_usize);
        for place in places {
            let at = truth.at(*place);
            while let Some(operation) = coming.next_if(|operation| operation.called <= at) {
                match duty(operation) {
                    Duty::Must(until) => open.push(until),
                    Duty::May => unknown += 1,
                    Duty::MustNot => {}
                }
            }
            open.retain(|until| *until >= at);
            if open.is_empty() {
                let Some(rest) = unknown.checked_sub(1) else {
                    let what = format!(
                        "a renewal of lease {id} at {}, committed at {:.3} s, was asked for by \
                         nobody who still waited",
                        truth.position(*place),
                        seconds(at)
                    );
                    return Err(Violation { law: LAW, at, what });
                };
                unknown = rest;
            }
        }
    }
    Ok(())
}
