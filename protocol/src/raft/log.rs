//! The replicated log, as far as a core needs it in memory.
//!
//! Two views of one log: the *terms* of all of it, run-length coded (a run a leader, so a few words
//! even for millions of entries), and the *entries* of a suffix. Everything that is not yet durable
//! or not yet applied is in the suffix; what is both stays only as a cache for followers, and older
//! entries are fetched from storage.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::boundary::{Entry, Payload, Restored};
use crate::{Index, Position, Term};

#[cfg(test)]
mod tests;

/// The terms of a whole log and the entries of its suffix.
///
/// - Indexes are contiguous: `base.index < … ≤ last.index`, and terms never fall along them.
/// - `runs` covers exactly `base.index + 1 ..= last.index`: starts ascend, terms ascend.
/// - `cache` holds exactly `last.index - cache.len() + 1 ..= last.index`.
/// - Entries above `written` have not been handed to storage; all of them are in `cache`.
/// - While `anew`, storage has not been told that the log begins after `base`.
#[derive(Clone, Debug, Hash)]
pub(super) struct Log {
    base: Position,
    last: Position,
    runs: Vec<(Index, Term)>,
    cache: VecDeque<Entry>,
    cache_bytes: usize,
    written: Index,
    anew: bool,
}

/// What an entry weighs: its payload, and its place for those that have none.
pub(super) fn weight(entry: &Entry) -> usize {
    const PLACE: usize = 16;
    match &entry.payload {
        Payload::Empty => PLACE,
        Payload::Command(bytes) | Payload::Membership(bytes) => PLACE + bytes.len(),
    }
}

impl Log {
    /// The log that storage holds: all of it written.
    ///
    /// # Panics
    ///
    /// When the parts contradict each other: storage must not hand out such a log.
    pub(super) fn new(restored: Restored) -> Self {
        let Restored { base, terms: runs, entries, applied, .. } = restored;
        assert!(base.index <= applied, "the state lags behind the start of the log");
        if let Some(&(first, term)) = runs.first() {
            assert!(first == base.index.next() && term >= base.term, "the terms start at the base");
        }
        assert!(runs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "the terms ascend");
        // The end of the log is where the entries end; without any, everything is applied.
        let last = match (entries.last(), runs.last()) {
            (Some(entry), _) => entry.position,
            (None, Some(&(_, term))) => Position::new(term, applied),
            (None, None) => base,
        };
        assert!(applied <= last.index, "the state is ahead of the log");
        let written = last.index;
        let (cache, cache_bytes, anew) = (VecDeque::new(), 0, false);
        let mut log = Self { base, last, runs, cache, cache_bytes, written, anew };
        for entry in entries {
            assert_eq!(log.term_at(entry.position.index), Some(entry.position.term));
            log.cache_bytes += weight(&entry);
            log.cache.push_back(entry);
        }
        log.assert_invariants();
        log
    }

    /// The position before the first entry held by storage.
    pub(super) const fn base(&self) -> Position {
        self.base
    }

    /// The end of the log.
    pub(super) const fn last(&self) -> Position {
        self.last
    }

    /// The last index handed to storage.
    pub(super) const fn written(&self) -> Index {
        self.written
    }

    /// Whether storage has to be told something.
    pub(super) fn is_dirty(&self) -> bool {
        self.anew || self.written < self.last.index
    }

    /// The first index in memory; one beyond the end when there is none.
    pub(super) fn cached_from(&self) -> Index {
        self.cache.front().map_or(self.last.index.next(), |entry| entry.position.index)
    }

    /// The term of the entry at `index`, from the base to the end.
    pub(super) fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        if index < self.base.index || index > self.last.index {
            return None;
        }
        Some(self.runs[self.run_of(index)?].1)
    }

    /// The position at `index`, from the base to the end.
    pub(super) fn position(&self, index: Index) -> Option<Position> {
        self.term_at(index).map(|term| Position { term, index })
    }

    /// Which run an index above the base belongs to.
    fn run_of(&self, index: Index) -> Option<usize> {
        self.runs.partition_point(|&(start, _)| start <= index).checked_sub(1)
    }

    /// The term at `index` with the first index of that term held here.
    pub(super) fn run_start(&self, index: Index) -> Option<Position> {
        let term = self.term_at(index)?;
        let start = match self.run_of(index) {
            Some(run) if index > self.base.index => self.runs[run].0,
            Some(_) | None => index,
        };
        Some(Position { term, index: start })
    }

    /// The last position at or before `through` whose term is at most `term`.
    pub(super) fn last_at_most(&self, term: Term, through: Index) -> Option<Position> {
        let through = through.min(self.last.index);
        let later = self.runs.partition_point(|&(_, t)| t <= term);
        let end = self.runs.get(later).map_or(self.last.index, |&(start, _)| start.previous());
        self.position(end.min(through)).filter(|position| position.term <= term)
    }

    /// Puts an entry at the end.
    pub(super) fn append(&mut self, entry: Entry) {
        assert_eq!(entry.position.index, self.last.index.next(), "entries are contiguous");
        assert!(entry.position.term >= self.last.term, "terms never fall");
        let Position { term, index } = entry.position;
        if self.runs.last().is_none_or(|&(_, last)| last < term) {
            self.runs.push((index, term));
        }
        self.last = entry.position;
        self.cache_bytes += weight(&entry);
        self.cache.push_back(entry);
    }

    /// Removes the entry at `from` and everything after it.
    pub(super) fn truncate(&mut self, from: Index) {
        assert!(from > self.base.index && from <= self.last.index, "only what is held can be cut");
        let last = self.position(from.previous()).expect("invariant: base ≤ from - 1 < last");
        while self.cache.back().is_some_and(|entry| entry.position.index >= from) {
            self.cache_bytes -= self.cache.pop_back().as_ref().map_or(0, weight);
        }
        self.runs.truncate(self.runs.partition_point(|&(start, _)| start < from));
        self.last = last;
        self.written = self.written.min(last.index);
    }

    /// Whether storage does not know yet that the log begins anew.
    pub(super) const fn is_anew(&self) -> bool {
        self.anew
    }

    /// Gives up everything: the log begins anew after `base`.
    pub(super) fn reset(&mut self, base: Position) {
        self.runs.clear();
        self.cache.clear();
        self.cache_bytes = 0;
        (self.base, self.last, self.written) = (base, base, base.index);
        self.anew = true;
    }

    /// Hands out the position after which the log begins anew, when storage has not seen it.
    pub(super) fn take_reset(&mut self) -> Option<Position> {
        core::mem::take(&mut self.anew).then_some(self.base)
    }

    /// Hands out what storage has not seen.
    pub(super) fn take_unwritten(&mut self) -> Vec<Entry> {
        let from = self.written.next();
        self.written = self.last.index;
        self.range(from, self.last.index).cloned().collect()
    }

    /// Entries from `from` to the end, at least one, then as many as fit into `max_bytes`.
    /// Empty when `from` is beyond the end.
    pub(super) fn slice(&self, from: Index, max_bytes: usize) -> (Vec<Entry>, usize) {
        let mut bytes = 0;
        let mut entries = Vec::new();
        for entry in self.range(from, self.last.index) {
            let more = weight(entry);
            if !entries.is_empty() && bytes + more > max_bytes {
                break;
            }
            bytes += more;
            entries.push(entry.clone());
        }
        (entries, bytes)
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
        debug_assert!(!self.anew, "nothing that storage has not seen is trimmed");
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
