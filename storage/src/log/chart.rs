//! Where every entry of the log lies, and its term.

use std::collections::VecDeque;

use protocol::{Index, Position, Term};

/// Entries that one batch holds and no later batch replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: Index,
    pub(crate) last: Index,
    pub(crate) segment: u64,
    /// Where the batch stands in its segment's file.
    pub(crate) offset: u64,
    /// The length of the batch.
    pub(crate) bytes: usize,
    pub(crate) sequence: u64,
    /// The process that wrote it. An earlier one may have left parts of a batch with the same
    /// sequence at the same place.
    pub(crate) epoch: u64,
}

/// The map of the log.
///
/// - Extents are contiguous and ascending; the first begins right after `base`.
/// - The runs of terms cover exactly what the extents cover, each with another term than the one
///   before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chart {
    base: Position,
    extents: VecDeque<Extent>,
    terms: Vec<(Index, Term)>,
}

impl Chart {
    pub(crate) fn new(base: Position) -> Self {
        Self { base, ..Self::default() }
    }

    pub(crate) fn base(&self) -> Position {
        self.base
    }

    pub(crate) fn last(&self) -> Position {
        let term = self.terms.last().map_or(self.base.term, |run| run.1);
        Position::new(term, self.extents.back().map_or(self.base.index, |extent| extent.last))
    }

    pub(crate) fn terms(&self) -> &[(Index, Term)] {
        &self.terms
    }

    pub(crate) fn extents(&self) -> impl Iterator<Item = &Extent> {
        self.extents.iter()
    }

    /// The term of an entry that the log holds, or of its base.
    pub(crate) fn term(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        if index < self.base.index || index > self.last().index {
            return None;
        }
        let run = self.terms.partition_point(|run| run.0 <= index).checked_sub(1)?;
        Some(self.terms[run].1)
    }

    /// Whether the log holds this very entry.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.term(position.index) == Some(position.term)
    }

    /// The extent that holds an entry.
    pub(crate) fn find(&self, index: Index) -> Option<&Extent> {
        let place = self.extents.partition_point(|extent| extent.last < index);
        self.extents.get(place).filter(|extent| extent.first <= index)
    }

    /// The last entry that a segment or one before it holds, or the base.
    pub(crate) fn end_of(&self, segment: u64) -> Position {
        let places = self.extents.partition_point(|extent| extent.segment <= segment);
        let last = places.checked_sub(1).map(|place| self.extents[place].last);
        let position = last.and_then(|last| Some(Position::new(self.term(last)?, last)));
        position.unwrap_or(self.base)
    }

    /// Cuts everything after `last`.
    pub(crate) fn truncate(&mut self, last: Index) {
        while self.extents.back().is_some_and(|extent| extent.first > last) {
            self.extents.pop_back();
        }
        if let Some(extent) = self.extents.back_mut() {
            extent.last = extent.last.min(last);
        }
        while self.terms.last().is_some_and(|run| run.0 > last) {
            self.terms.pop();
        }
    }

    /// Adds an extent, after cutting whatever it replaces.
    pub(crate) fn extend(&mut self, extent: Extent, terms: impl Iterator<Item = Term>) {
        self.truncate(extent.first.previous());
        let mut index = extent.first;
        for term in terms {
            if self.terms.last().is_none_or(|run| run.1 != term) {
                self.terms.push((index, term));
            }
            index = index.next();
        }
        self.extents.push_back(extent);
    }

    /// Forgets everything up to `base`, which is where an extent ends.
    pub(crate) fn trim(&mut self, base: Position) {
        while self.extents.front().is_some_and(|extent| extent.last <= base.index) {
            self.extents.pop_front();
        }
        let first = base.index.next();
        let gone = self.terms.partition_point(|run| run.0 <= first).saturating_sub(1);
        self.terms.drain(..gone);
        match (self.extents.is_empty(), self.terms.first_mut()) {
            (true, _) => self.terms.clear(),
            (false, Some(run)) => run.0 = run.0.max(first),
            (false, None) => {}
        }
        self.base = base;
    }
}
