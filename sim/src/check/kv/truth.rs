//! The committed log, replayed once through the model: what every entry answered, and what the
//! state was at any moment.
//!
//! A *moment* is a number of entries: the state after the first so many. The world says when an
//! entry was first known to be committed, so an interval of time is an interval of moments, and
//! whatever a client saw must have been so at one of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use protocol::{Index, Position, Time};
use store::{
    ClientId, Command, Error, KeyValue, LeaseId, Limits, Outcome, Range, RangeResult, Stamp, Txn,
};

use super::leases::{Left, Life};
use super::model::Model;
use super::read;
use super::sessions::Fate;
use super::versions::{FIRST_REVISION, Happened};
use crate::history::Committed;
use crate::seen::{Violation, seconds};

/// The committed log and what follows from it.
#[derive(Debug)]
pub struct Truth<'a> {
    committed: &'a [Committed],
    /// When each entry was committed; never descends.
    at: Vec<Time>,
    /// The revision after each entry.
    revisions: Vec<i64>,
    /// What each entry answers; `None` for one without a command.
    outcomes: Vec<Option<Result<Outcome, Error>>>,
    /// The entry that made each revision, from revision 2 on.
    makers: Vec<usize>,
    /// Every compaction: its entry and the compact revision from then on.
    compactions: Vec<(usize, i64)>,
    /// The entry that did each numbered write.
    firsts: BTreeMap<(ClientId, u64), usize>,
    repeated: usize,
    model: Model,
}

impl<'a> Truth<'a> {
    /// Replays a log.
    ///
    /// # Errors
    /// When it is no log: positions with gaps, terms or times that go back. When a numbered write
    /// is done twice.
    pub fn new(committed: &'a [Committed], limits: Limits) -> Result<Self, Violation> {
        let mut truth = Self {
            committed,
            at: Vec::with_capacity(committed.len()),
            revisions: Vec::with_capacity(committed.len()),
            outcomes: Vec::with_capacity(committed.len()),
            makers: Vec::new(),
            compactions: Vec::new(),
            firsts: BTreeMap::new(),
            repeated: 0,
            model: Model::new(limits),
        };
        let mut last = (Position::ORIGIN, Time(0));
        for entry in committed {
            let next = Index(last.0.index.0.saturating_add(1));
            let follows = entry.position.index == next && entry.position.term >= last.0.term;
            if !follows || entry.at < last.1 {
                let what = format!(
                    "entry {} committed at {:.3} s follows {} committed at {:.3} s",
                    entry.position,
                    seconds(entry.at),
                    last.0,
                    seconds(last.1),
                );
                return Err(Violation { law: "log", at: entry.at, what });
            }
            last = (entry.position, entry.at);
            truth.replay(entry)?;
        }
        Ok(truth)
    }

    fn replay(&mut self, entry: &'a Committed) -> Result<(), Violation> {
        let place = self.at.len();
        let before = (self.model.revision(), self.model.compact_revision());
        let command = match &entry.command {
            Some(Command::Once { stamp, command }) => {
                self.numbered(stamp, entry)?.then_some(&**command)
            }
            other => other.as_ref(),
        };
        let outcome = match command {
            Some(command) => Some(self.model.apply(command)),
            None => {
                self.model.pass();
                None
            }
        };
        if let Some(membership) = &entry.membership {
            self.model.set_members(membership);
        }
        // A tick may end several leases, each in a revision of its own.
        self.makers.extend((before.0..self.model.revision()).map(|_| place));
        if self.model.compact_revision() != before.1 {
            self.compactions.push((place, self.model.compact_revision()));
        }
        self.at.push(entry.at);
        self.revisions.push(self.model.revision());
        self.outcomes.push(outcome);
        Ok(())
    }

    /// Whether the next entry, a numbered write, is to be done. No number is done twice, and the
    /// worlds' clients never give a session the time to be forgotten while they repeat a write.
    fn numbered(&mut self, stamp: &Stamp, entry: &Committed) -> Result<bool, Violation> {
        if self.model.numbered(stamp) != Fate::First {
            self.repeated += 1;
            return Ok(false);
        }
        let name = (stamp.client(), stamp.sequence());
        if let Some(first) = self.firsts.insert(name, self.at.len()) {
            let what = format!(
                "write {} of {} is done at {}, and was done at {}",
                stamp.sequence(),
                stamp.client(),
                entry.position,
                self.position(first)
            );
            return Err(Violation { law: "XI1", at: entry.at, what });
        }
        Ok(true)
    }

    /// The entry that did a numbered write.
    #[must_use]
    pub fn first(&self, stamp: &Stamp) -> Option<usize> {
        self.firsts.get(&(stamp.client(), stamp.sequence())).copied()
    }

    /// The numbered write that an entry did.
    #[must_use]
    pub fn stamp(&self, place: usize) -> Option<&'a Stamp> {
        match self.committed.get(place)?.command.as_ref()? {
            Command::Once { stamp, .. } if self.first(stamp) == Some(place) => Some(stamp),
            _ => None,
        }
    }

    /// Entries with numbered writes that had been done before, or were refused for their number.
    #[must_use]
    pub const fn repeated(&self) -> usize {
        self.repeated
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether nothing was ever committed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// The newest revision of all.
    #[must_use]
    pub const fn last_revision(&self) -> i64 {
        self.model.revision()
    }

    /// What an entry commands; `None` for a numbered write that was not done there.
    #[must_use]
    pub fn command(&self, place: usize) -> Option<&'a Command> {
        match self.committed.get(place)?.command.as_ref()? {
            Command::Once { stamp, command } => {
                (self.first(stamp) == Some(place)).then_some(&**command)
            }
            other => Some(other),
        }
    }

    /// Where an entry stands in the log.
    #[must_use]
    pub fn position(&self, place: usize) -> Position {
        self.committed.get(place).map_or(Position::ORIGIN, |entry| entry.position)
    }

    /// When an entry was first known to be committed.
    #[must_use]
    pub fn at(&self, place: usize) -> Time {
        self.at.get(place).copied().unwrap_or_default()
    }

    /// What an entry answers; `None` for one without a command.
    #[must_use]
    pub fn outcome(&self, place: usize) -> Option<&Result<Outcome, Error>> {
        self.outcomes.get(place)?.as_ref()
    }

    /// The entry that made a revision; `None` for the first revision and those never made.
    #[must_use]
    pub fn maker(&self, revision: i64) -> Option<usize> {
        let offset = usize::try_from(revision.checked_sub(FIRST_REVISION + 1)?).ok()?;
        self.makers.get(offset).copied()
    }

    /// The revision at a moment.
    #[must_use]
    pub fn revision(&self, moment: usize) -> i64 {
        let last = moment.min(self.len()).checked_sub(1);
        last.map_or(FIRST_REVISION, |place| self.revisions[place])
    }

    /// The compact revision at a moment; −1 before the first compaction.
    #[must_use]
    pub fn compact_revision(&self, moment: usize) -> i64 {
        let done = self.compactions.partition_point(|(place, _)| *place < moment);
        done.checked_sub(1).map_or(-1, |last| self.compactions[last].1)
    }

    /// Whether the compact revision ever was this one, up to a moment.
    #[must_use]
    pub fn was_compacted_to(&self, revision: i64, moment: usize) -> bool {
        let mut done = self.compactions.iter().take_while(|(place, _)| *place < moment);
        done.any(|(_, to)| *to == revision)
    }

    /// The least moment that anybody can find who asks at `time`: all that was committed before.
    #[must_use]
    pub fn moment_before(&self, time: Time) -> usize {
        self.at.partition_point(|at| *at < time)
    }

    /// The greatest moment that anybody can know of at `time`.
    #[must_use]
    pub fn moment_at(&self, time: Time) -> usize {
        self.at.partition_point(|at| *at <= time)
    }

    /// As [`Truth::moment_before`], found from a moment nearby.
    pub(crate) fn moment_before_near(&self, time: Time, near: usize) -> usize {
        gallop(&self.at, near, |at| *at < time)
    }

    /// As [`Truth::moment_at`], found from a moment nearby.
    pub(crate) fn moment_at_near(&self, time: Time, near: usize) -> usize {
        gallop(&self.at, near, |at| *at <= time)
    }

    /// The moments at which this was the newest revision; `None` when there was none.
    #[must_use]
    pub fn moments_of(&self, revision: i64) -> Option<RangeInclusive<usize>> {
        if revision < FIRST_REVISION || revision > self.last_revision() {
            return None;
        }
        let first = self.maker(revision).map_or(0, |place| place + 1);
        let last = self.maker(revision.saturating_add(1)).unwrap_or(self.len());
        // Within an entry that made several revisions no one can look.
        (first <= last).then_some(first..=last)
    }

    /// The answer to a read at a revision.
    #[must_use]
    pub fn read(&self, range: &Range, at: i64) -> RangeResult {
        self.model.read(range, at)
    }

    /// The answer to a read-only transaction at a revision; `None` when it writes.
    #[must_use]
    pub fn read_txn(&self, txn: &Txn, at: i64) -> Option<Outcome> {
        self.model.read_txn(txn, at)
    }

    /// A key at a revision.
    #[must_use]
    pub fn key(&self, key: &[u8], at: i64) -> Option<KeyValue> {
        self.model.versions.at(key, at)
    }

    /// Whether the state was ever said to be corrupt.
    #[must_use]
    pub const fn ever_corrupt(&self) -> bool {
        self.model.corrupt
    }

    /// All changes from a revision on, in order.
    pub(crate) fn changes_since(&self, revision: i64) -> impl Iterator<Item = Happened<'_>> {
        self.model.versions.since(revision)
    }

    /// All lives of all leases, by when they began.
    pub(crate) fn lives(&self) -> &[Life] {
        self.model.leases.lives()
    }

    /// The leases alive at a moment, ascending.
    pub(crate) fn leases(&self, moment: usize) -> Vec<LeaseId> {
        self.model.leases.alive_after(moment)
    }

    /// What a lease has left at a moment.
    pub(crate) fn left(&self, id: LeaseId, moment: usize) -> Option<Left> {
        self.model.leases.left_after(id, moment)
    }

    /// The keys on a lease at a moment, ascending.
    pub(crate) fn attached(&self, id: LeaseId, moment: usize) -> Vec<bytes::Bytes> {
        self.model.versions.attached(id, self.revision(moment))
    }

    /// Calls `visit` with each read on the path that a transaction takes at a revision.
    pub(crate) fn each_range<'t>(&self, txn: &'t Txn, at: i64, mut visit: impl FnMut(&'t Range)) {
        read::each_range(&self.model.versions, txn, at, &mut visit);
    }
}

/// The partition point of a sorted slice, looked for in steps that double, from `near` on.
fn gallop(all: &[Time], near: usize, before: impl Fn(&Time) -> bool) -> usize {
    let (mut low, mut high, mut step) = (near.min(all.len()), near.min(all.len()), 1);
    while low > 0 && !before(&all[low - 1]) {
        high = low - 1;
        low = low.saturating_sub(step);
        step *= 2;
    }
    step = 1;
    while high < all.len() && before(&all[high]) {
        low = high + 1;
        high = high.saturating_add(step).min(all.len());
        step *= 2;
    }
    low + all[low..high].partition_point(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galloping_finds_what_a_search_finds() {
        let all: Vec<Time> = (0..40_u64).map(|at| Time(at * at / 7)).collect();
        for time in 0..240 {
            let time = Time(time);
            let expected = all.partition_point(|at| *at < time);
            for near in 0..=all.len() + 1 {
                assert_eq!(gallop(&all, near, |at| *at < time), expected);
            }
        }
    }
}
