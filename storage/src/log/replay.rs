//! Recovery: batch after batch in the order of their sequence, telling torn from corrupt.
//!
//! The rules, for a batch that does not verify (Alagappan et al., FAST'18 §3.3, for one log):
//!
//! | what else there is | verdict |
//! |---|---|
//! | anything written after its sync: a later batch, the hard state, the next segment | corrupt |
//! | its identifiers, but not all of its records | undecided: cut, and in doubt |
//! | its records, but not its identifiers | it is whole: kept |
//! | some of its records, or nothing | torn: cut |

use protocol::mutant::{Mutant, planted};
use protocol::raft::HardState;
use protocol::{Index, Position, Term};

use super::batch::{self, Identifiers, Walked};
use super::bytes::Checksum;
use super::chart::{Chart, Extent};
use super::error::Damage;
use super::head::{Header, Slot};
use super::hole::{Hole, Tail};
use super::record::{self, Membership};
use crate::disk::SECTOR;

/// One segment as it is read.
pub(crate) struct View<'a> {
    checksum: Checksum,
    number: u64,
    /// The file up to where its batches can reach.
    bytes: &'a [u8],
    /// Where the first batch stands: right after the head.
    start: usize,
    /// The header of the segment after it.
    next: Option<Header>,
}

impl<'a> View<'a> {
    pub(crate) fn new(
        checksum: Checksum,
        number: u64,
        file: &'a [u8],
        start: usize,
        next: Option<Header>,
    ) -> Self {
        let end = next.map_or(file.len(), |next| {
            usize::try_from(next.previous_end).unwrap_or(usize::MAX).min(file.len())
        });
        Self { checksum, number, bytes: &file[..end], start, next }
    }

    fn identifiers(&self, at: usize) -> Option<Identifiers> {
        Identifiers::decode(self.bytes.get(at..)?, self.checksum, self.number)
    }

    /// Whether anything was ever written to the segment after its head.
    pub(crate) fn has_begun(&self) -> bool {
        self.traces(self.start).next().is_some()
    }

    /// All traces of batches in the sectors from `at` on, and of those that went astray into the
    /// head.
    fn traces(&self, at: usize) -> impl Iterator<Item = Trace> {
        let head = (0..self.start.min(self.bytes.len())).step_by(SECTOR);
        let rest = (at..self.bytes.len()).step_by(SECTOR);
        head.chain(rest).filter_map(|at| {
            let bytes = &self.bytes[at..];
            if let Some(found) = Identifiers::decode(bytes, self.checksum, self.number) {
                return Some(Trace {
                    at,
                    epoch: found.header.epoch,
                    sequence: found.header.sequence,
                    identifiers: Some(found),
                });
            }
            let found = record::decode(bytes, self.checksum, self.number)?.membership;
            let Membership { epoch, sequence, first: true, .. } = found else { return None };
            Some(Trace { at, epoch, sequence, identifiers: None })
        })
    }
}

/// A sign that a batch was being written.
struct Trace {
    at: usize,
    epoch: u64,
    sequence: u64,
    identifiers: Option<Identifiers>,
}

/// The log as far as it has been replayed.
pub(crate) struct Replay {
    slot: Slot,
    /// Whether the place where the last process began has been passed.
    resumed: bool,
    /// The epoch of the last batch; epochs do not go back.
    epoch: u64,
    pub(crate) chart: Chart,
    pub(crate) sequence: u64,
    /// The last batch that was kept.
    pub(crate) newest: Option<Extent>,
    pub(crate) generation: u64,
    pub(crate) hard_state: HardState,
    pub(crate) doubt: Option<Index>,
    pub(crate) damage: Vec<Damage>,
    /// Damaged records whose identifiers are intact, whether or not the log still needs them.
    pub(crate) holes: Vec<Hole>,
    pub(crate) tail: Option<Tail>,
}

impl Replay {
    pub(crate) fn new(slot: Slot, first: &Header) -> Self {
        Self {
            slot,
            resumed: false,
            epoch: 0,
            chart: Chart::new(first.last),
            sequence: first.sequence,
            newest: None,
            generation: slot.generation,
            hard_state: slot.hard_state,
            doubt: None,
            damage: Vec::new(),
            holes: Vec::new(),
            tail: None,
        }
    }

    /// Replays one segment and gives the place where its batches end.
    pub(crate) fn segment(&mut self, view: &View<'_>) -> usize {
        let mut at = view.start;
        while at < view.bytes.len() {
            match self.step(view, at) {
                Some(next) => at = next,
                None => break,
            }
        }
        // A process may resume with fewer entries in the segment that another has begun: what the
        // header says holds before the resumption as well as after it.
        if let Some(next) = &view.next
            && (self.sequence != next.sequence || !self.cut(next.last))
        {
            self.lose(view.number, at, Some(next.last.index));
            self.sequence = next.sequence;
            self.chart = Chart::new(next.last);
        }
        at
    }

    /// Closes the replay, after the last segment.
    pub(crate) fn finish(&mut self, segment: u64, end: usize) {
        self.resume(segment, end);
        let known = self.damage.iter().any(Damage::is_corruption);
        if !known && self.sequence < self.slot.completed && !planted(Mutant::W2) {
            self.lose(segment, end, None);
        }
        let Position { term, index: last } = self.chart.last();
        if term > self.hard_state.term {
            // The write was torn, and what it said about the hard state is lost. A vote in that
            // term cannot have been sent: it would be durable.
            self.hard_state.term = term;
            self.hard_state.vote = None;
        }
        let standing = self.slot.doubt.filter(|doubt| last < *doubt);
        self.doubt = self.doubt.max(standing);
    }

    /// Replays the batch at `at`, if there is one, and gives the place after it.
    fn step(&mut self, view: &View<'_>, at: usize) -> Option<usize> {
        self.resume(view.number, at);
        let wanted = self.sequence + 1;
        if let Some(found) = view.identifiers(at) {
            let header = &found.header;
            let next = header.sequence == wanted || planted(Mutant::W5);
            let fits = next && header.offset == at as u64;
            if fits && self.is_live(header.epoch, wanted) {
                return self.identified(view, at, &found);
            }
        }
        let walked = batch::walk(&view.bytes[at..], view.checksum, view.number, wanted);
        match walked.filter(|w| self.is_live(w.records[0].1.membership.epoch, wanted)) {
            Some(walked) => Some(self.walked(view, at, &walked)),
            None => self.unreadable(view, at),
        }
    }

    /// A batch whose identifiers verify.
    fn identified(&mut self, view: &View<'_>, at: usize, found: &Identifiers) -> Option<usize> {
        let bytes = found.batch_bytes()?;
        let rest = &view.bytes[at..];
        let offset = at as u64;
        let extent = Extent {
            first: found.first(),
            last: found.last(),
            segment: view.number,
            offset,
            bytes,
            sequence: found.header.sequence,
            epoch: found.header.epoch,
        };
        let mut holes = Hole::all(found, view.number, at, rest, view.checksum);
        let bad: Vec<Position> = holes.iter().map(|hole| hole.position).collect();
        self.holes.append(&mut holes);
        if !bad.is_empty() {
            if !self.is_proven(view, at, found.header.sequence) {
                let tail = Tail { extent, found: found.clone() };
                self.tail = Some(tail).filter(|_| !planted(Mutant::W2));
                return self.undecided(view.number, at, found);
            }
            self.damage.push(Damage::Entries { segment: view.number, offset, entries: bad });
        }
        if found.header.generation > self.generation {
            self.generation = found.header.generation;
            let commit = self.hard_state.commit;
            self.hard_state = HardState { commit, ..found.header.hard_state };
        }
        self.hard_state.commit = self.hard_state.commit.max(found.header.hard_state.commit);
        let terms = found.list.iter().map(|identifier| identifier.term);
        self.keep(extent, found.header.previous, terms);
        Some(at + bytes)
    }

    /// A batch whose identifiers are damaged and whose records all verify.
    fn walked(&mut self, view: &View<'_>, at: usize, walked: &Walked) -> usize {
        let offset = at as u64;
        self.damage.push(Damage::Identifiers { segment: view.number, offset });
        let (first, last) = (walked.records[0].1, walked.records[walked.records.len() - 1].1);
        let before = first.position.index.previous();
        let Some(term) = self.chart.term(before) else {
            // Only the identifiers would have told what stands before a place below the base.
            self.lose(view.number, at, Some(last.position.index));
            self.sequence += 1;
            self.chart = Chart::new(last.position);
            return at + walked.bytes;
        };
        let previous = Position::new(term, before);
        let extent = Extent {
            first: first.position.index,
            last: last.position.index,
            segment: view.number,
            offset,
            bytes: walked.bytes,
            sequence: self.sequence + 1,
            epoch: first.membership.epoch,
        };
        let terms = walked.records.iter().map(|(_, record)| record.position.term);
        self.keep(extent, previous, terms);
        at + walked.bytes
    }

    fn keep(&mut self, extent: Extent, previous: Position, terms: impl Iterator<Item = Term>) {
        if planted(Mutant::W6) && extent.first <= self.chart.last().index {
            self.sequence = extent.sequence;
            return;
        }
        if !self.cut(previous) {
            let at = usize::try_from(extent.offset).unwrap_or(usize::MAX);
            self.lose(extent.segment, at, Some(previous.index));
            self.chart = Chart::new(previous);
        }
        self.epoch = self.epoch.max(extent.epoch);
        self.sequence = extent.sequence;
        self.newest = Some(extent);
        self.chart.extend(extent, terms);
    }

    /// The last write has its identifiers and not all of its records. Its truncation is kept: the
    /// core had decided it, and an entry that conflicts must not look like the one in doubt.
    fn undecided(&mut self, segment: u64, at: usize, found: &Identifiers) -> Option<usize> {
        let range = found.first().0..=found.last().0;
        let position =
            |(index, id): (u64, &batch::Identifier)| Position::new(id.term, Index(index));
        let entries = range.zip(&found.list).map(position).collect();
        self.damage.push(Damage::Undecided { segment, offset: at as u64, entries });
        if !self.cut(found.header.previous) {
            self.chart.truncate(found.header.previous.index);
        }
        if !planted(Mutant::W2) {
            self.doubt = self.doubt.max(Some(found.last()));
        }
        None
    }

    /// Neither the identifiers at `at` nor the records after them make up the next batch.
    fn unreadable(&mut self, view: &View<'_>, at: usize) -> Option<usize> {
        let wanted = self.sequence + 1;
        if self.is_proven(view, at, wanted) {
            let mut traces = view.traces(at);
            let later = traces.find_map(|trace| {
                let found = trace.identifiers?;
                let placed = found.header.offset == trace.at as u64;
                (placed && trace.sequence > wanted).then_some((trace.at, found))
            });
            let through = later.as_ref().map(|(_, found)| found.header.previous.index);
            self.lose(view.number, at, through);
            let (next, found) = later?;
            self.sequence = found.header.sequence - 1;
            self.chart = Chart::new(found.header.previous);
            return Some(next);
        }
        let live =
            |trace: &Trace| trace.sequence == wanted && self.is_live(trace.epoch, trace.sequence);
        let traces: Vec<Trace> = view.traces(at).filter(live).collect();
        match traces.iter().find_map(|trace| trace.identifiers.as_ref()) {
            Some(astray) => self.undecided(view.number, at, astray),
            None if traces.is_empty() => None,
            None => {
                self.damage.push(Damage::Torn { segment: view.number, offset: at as u64 });
                None
            }
        }
    }

    /// Whether the batch was durable at some time, whatever became of it.
    fn is_proven(&self, view: &View<'_>, at: usize, sequence: u64) -> bool {
        if planted(Mutant::W2) {
            return false;
        }
        sequence <= self.slot.completed
            || view.next.is_some_and(|next| sequence <= next.sequence)
            || view
                .traces(at)
                .any(|trace| trace.sequence > sequence && self.is_live(trace.epoch, trace.sequence))
    }

    /// What an earlier process wrote after the place where a later one resumed is void.
    fn is_live(&self, epoch: u64, sequence: u64) -> bool {
        let resumption = &self.slot.resumption;
        epoch >= self.epoch && (sequence <= resumption.sequence || epoch >= resumption.epoch)
    }

    /// Applies the resumption once its place is reached.
    fn resume(&mut self, segment: u64, at: usize) {
        let resumption = self.slot.resumption;
        if self.resumed || self.sequence < resumption.sequence {
            return;
        }
        self.resumed = true;
        if self.sequence > resumption.sequence {
            return;
        }
        if !self.cut(resumption.last) {
            self.lose(segment, at, Some(resumption.last.index));
        }
    }

    /// Cuts everything after `last`. Gives `false`, and does nothing, when the log lacks it.
    ///
    /// Below the base: the first segment began after entries that were replaced in it or later,
    /// and the segment that held the ones before them was trimmed. The base goes back to where the
    /// log goes on.
    fn cut(&mut self, last: Position) -> bool {
        if last.index < self.chart.base().index {
            self.chart = Chart::new(last);
            return true;
        }
        let holds = self.chart.holds(last);
        if holds {
            self.chart.truncate(last.index);
        }
        holds
    }

    fn lose(&mut self, segment: u64, at: usize, through: Option<Index>) {
        let from = self.chart.last().index.next();
        let through = through.filter(|through| *through >= from);
        self.damage.push(Damage::Lost { segment, offset: at as u64, from, through });
    }
}
