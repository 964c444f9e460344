//! The replicated history, as far as a core needs it in memory.
//!
//! Two views of one log: the *epochs* of all of it, run-length coded (a run a leader), and the
//! *entries* of a suffix. What is not durable or not applied is in the suffix; what is both stays
//! there as a cache for learners only, and older entries are fetched from storage.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::boundary::{Entry, Restored};
use super::message::Tail;
use crate::{Index, Position, Term};

#[cfg(test)]
mod tests;

/// The epochs of a whole log and the entries of its suffix.
///
/// - Indexes are contiguous: `base.index < … ≤ last.index`, and epochs never fall along them.
/// - `runs` covers exactly `base.index + 1 ..= last.index`: starts ascend, epochs ascend.
/// - `cache` holds exactly `last.index - cache.len() + 1 ..= last.index`.
/// - Entries above `written` have not been handed to storage; all of them are in `cache`.
/// - While `anew`, storage has not been told that the log begins after `base`; while `cut`, it has
///   not been told that what comes after that index is gone.
#[derive(Clone, Debug, Hash)]
pub(super) struct History {
    base: Position,
    last: Position,
    runs: Vec<(Index, Term)>,
    cache: VecDeque<Entry>,
    cache_bytes: usize,
    written: Index,
    anew: bool,
    cut: Option<Index>,
}

/// What storage has to be told.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    pub(super) reset: Option<Position>,
    pub(super) cut: Option<Index>,
    pub(super) entries: Vec<Entry>,
}

/// What an entry weighs: its payload, and its place for those that have none.
pub(super) fn weight(entry: &Entry) -> usize {
    const PLACE: usize = 16;
    PLACE + entry.payload.bytes().len()
}

impl History {
    /// The log that storage holds: all of it written. `None` when its parts contradict each other.
    pub(super) fn new(restored: Restored) -> Option<Self> {
        let Restored { base, terms: runs, entries, applied, .. } = restored;
        let starts = runs
            .first()
            .is_none_or(|&(index, term)| index == base.index.next() && term >= base.term);
        let ascends = runs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1);
        // The end of the log is where the entries end; without any, everything is applied.
        let last = match (entries.last(), runs.last()) {
            (Some(entry), _) => entry.position,
            (None, Some(&(_, term))) => Position::new(term, applied),
            (None, None) => base,
        };
        let within = runs.last().is_none_or(|run| run.0 <= last.index && run.1 == last.term);
        let covers = base.index <= applied && applied <= last.index;
        let whole = runs.is_empty() == (last.index == base.index);
        let (cache, cache_bytes, written) = (VecDeque::new(), 0, last.index);
        let (anew, cut) = (false, None);
        let mut history = Self { base, last, runs, cache, cache_bytes, written, anew, cut };
        let mut index = applied;
        let mut contiguous = true;
        for entry in entries {
            index = index.next();
            contiguous &= entry.position.index == index
                && history.term_at(index) == Some(entry.position.term);
            history.cache_bytes += weight(&entry);
            history.cache.push_back(entry);
        }
        (starts && ascends && within && covers && whole && contiguous).then_some(history)
    }

    /// The position before the first entry held by storage.
    pub(super) const fn base(&self) -> Position {
        self.base
    }

    /// The end.
    pub(super) const fn last(&self) -> Position {
        self.last
    }

    /// The last index handed to storage.
    pub(super) const fn written(&self) -> Index {
        self.written
    }

    /// Whether storage does not know yet that the log begins anew.
    pub(super) const fn is_anew(&self) -> bool {
        self.anew
    }

    /// Whether storage has to be told something.
    pub(super) fn is_dirty(&self) -> bool {
        self.anew || self.cut.is_some() || self.written < self.last.index
    }

    /// The first index in memory; one beyond the end when there is none.
    pub(super) fn cached_from(&self) -> Index {
        self.cache.front().map_or(self.last.index.next(), |entry| entry.position.index)
    }

    /// The epoch of the entry at `index`, from the base to the end.
    pub(super) fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        if index < self.base.index || index > self.last.index {
            return None;
        }
        let run = self.runs.partition_point(|&(start, _)| start <= index).checked_sub(1)?;
        Some(self.runs[run].1)
    }

    /// The position at `index`, from the base to the end.
    pub(super) fn position(&self, index: Index) -> Option<Position> {
        self.term_at(index).map(|term| Position { term, index })
    }

    /// Whether the entry of this position is here, or just before the first one.
    pub(super) fn holds(&self, position: Position) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    /// The end, and where the runs begin from the committed index `from` on.
    pub(super) fn tail(&self, from: Index) -> Tail {
        let from = self.position(from.max(self.base.index)).unwrap_or(self.base);
        let later = self.runs.iter().filter(|&&(start, _)| start > from.index);
        let starts = later.map(|&(index, term)| Position { term, index });
        Tail { runs: core::iter::once(from).chain(starts).collect(), last: self.last }
    }

    /// The last position shared with the history that `tail` is of; `None` when it is not held.
    ///
    /// Entries of one epoch come from one leader, so two histories that both have some share all
    /// of them up to the end of the shorter run, and everything before.
    pub(super) fn common(&self, tail: &Tail) -> Option<Position> {
        let mut end = tail.last.index;
        for start in tail.runs.iter().rev() {
            if let Some(shared) = self.last_of(start.term, end)
                && shared.index >= start.index
            {
                return Some(shared);
            }
            end = end.min(start.index.previous());
        }
        None
    }

    /// The last position of this epoch at or before `through`.
    fn last_of(&self, term: Term, through: Index) -> Option<Position> {
        let later = self.runs.partition_point(|&(_, other)| other <= term);
        let end = self.runs.get(later).map_or(self.last.index, |&(start, _)| start.previous());
        self.position(end.min(through)).filter(|position| position.term == term)
    }

    /// Puts an entry at the end.
    pub(super) fn append(&mut self, entry: Entry) {
        assert_eq!(entry.position.index, self.last.index.next(), "entries are contiguous");
        assert!(entry.position.term >= self.last.term, "epochs never fall");
        let Position { term, index } = entry.position;
        if self.runs.last().is_none_or(|&(_, last)| last < term) {
            self.runs.push((index, term));
        }
        self.last = entry.position;
        self.cache_bytes += weight(&entry);
        self.cache.push_back(entry);
    }

    /// Forgets everything after `through`, which is held.
    fn shorten(&mut self, through: Index) {
        let Some(last) = self.position(through) else { return };
        while self.cache.back().is_some_and(|entry| entry.position.index > through) {
            self.cache_bytes -= self.cache.pop_back().as_ref().map_or(0, weight);
        }
        self.runs.truncate(self.runs.partition_point(|&(start, _)| start <= through));
        self.last = last;
    }

    /// Removes everything after `through`, here and in storage.
    pub(super) fn truncate(&mut self, through: Index) {
        assert!(through >= self.base.index, "only what is held can be cut");
        self.shorten(through);
        if through < self.written {
            self.written = through;
            self.cut = Some(self.cut.map_or(through, |earlier| earlier.min(through)));
        }
    }

    /// Forgets everything after `through`: storage never had it, or has dropped it.
    pub(super) fn retreat(&mut self, through: Index) {
        self.shorten(through);
        self.written = self.written.min(through);
    }

    /// Gives up everything: the log begins anew after `base`.
    pub(super) fn reset(&mut self, base: Position) {
        self.runs.clear();
        self.cache.clear();
        self.cache_bytes = 0;
        (self.base, self.last, self.written) = (base, base, base.index);
        (self.anew, self.cut) = (true, None);
    }

    /// Hands out what storage has not seen.
    pub(super) fn take_unwritten(&mut self) -> Unwritten {
        let entries = self.range(self.written.next(), self.last.index).cloned().collect();
        self.written = self.last.index;
        let reset = core::mem::take(&mut self.anew).then_some(self.base);
        Unwritten { reset, cut: self.cut.take(), entries }
    }

    /// Entries from `from` through `through`, at least one, then as many as fit into `max_bytes`.
    pub(super) fn slice(&self, from: Index, through: Index, max_bytes: usize) -> Vec<Entry> {
        let mut bytes = 0;
        let mut entries = Vec::new();
        for entry in self.range(from, through) {
            bytes += weight(entry);
            if !entries.is_empty() && bytes > max_bytes {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }

    /// The entries from `from` through `through`, as far as they are in memory.
    pub(super) fn range(&self, from: Index, through: Index) -> impl Iterator<Item = &Entry> {
        let first = self.cached_from();
        let place = |index: Index| {
            let place = index.0.saturating_sub(first.0);
            usize::try_from(place).unwrap_or(usize::MAX).min(self.cache.len())
        };
        let start = place(from);
        self.cache.range(start..place(through.next()).max(start))
    }

    /// Forgets entries through `through` until the rest weighs at most `max_bytes`. The caller
    /// names only entries that are durable and applied.
    pub(super) fn evict(&mut self, through: Index, max_bytes: usize) {
        let through = through.min(self.written);
        while self.cache_bytes > max_bytes
            && self.cache.front().is_some_and(|entry| entry.position.index <= through)
        {
            self.cache_bytes -= self.cache.pop_front().as_ref().map_or(0, weight);
        }
    }

    /// Follows storage, which forgot everything through `through`.
    pub(super) fn trim(&mut self, through: Index) {
        let Some(base) = self.position(through.min(self.written)) else { return };
        self.evict(base.index, 0);
        let keep = self.runs.partition_point(|&(start, _)| start <= base.index.next());
        self.runs.drain(..keep.saturating_sub(1));
        if base.index == self.last.index {
            self.runs.clear();
        } else if let Some(first) = self.runs.first_mut() {
            first.0 = base.index.next();
        }
        self.base = base;
    }

    /// Checks the laws that do not need a walk over all entries.
    pub(super) fn assert_invariants(&self) {
        assert!(self.base.index <= self.written && self.written <= self.last.index);
        assert!(self.base.term <= self.last.term);
        assert!(self.runs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        assert_eq!(self.runs.is_empty(), self.base.index == self.last.index);
        if let (Some(first), Some(last)) = (self.runs.first(), self.runs.last()) {
            assert_eq!(first.0, self.base.index.next());
            assert!(last.0 <= self.last.index && last.1 == self.last.term);
        }
        if let (Some(front), Some(back)) = (self.cache.front(), self.cache.back()) {
            assert!(front.position.index > self.base.index && back.position == self.last);
            let length = back.position.index.0 - front.position.index.0 + 1;
            assert_eq!(u64::try_from(self.cache.len()), Ok(length));
        }
        assert!(self.cached_from() <= self.written.next(), "what is not written is in memory");
    }
}
