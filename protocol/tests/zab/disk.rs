//! A disk that takes its time: writes wait in order, and a crash leaves a prefix of them.

use std::collections::VecDeque;

use protocol::zab::{Entry, Epochs, Restored, Write, WriteId};
use protocol::{Index, Position, Rng, Term, Time};

/// What is durable, and what is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) epochs: Epochs,
    /// The position before the first entry of the log.
    pub(crate) base: Position,
    pub(crate) log: Vec<Entry>,
    pending: VecDeque<(Time, WriteId, Write)>,
    /// The answer owed to whoever took writes back.
    cancelled: Option<WriteId>,
    done: WriteId,
    /// While held, nothing becomes durable.
    pub(crate) held: bool,
}

/// What a disk has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Persisted(WriteId),
    Cancelled(WriteId),
}

impl Disk {
    pub(crate) fn last(&self) -> Position {
        self.log.last().map_or(self.base, |entry| entry.position)
    }

    pub(crate) fn entry(&self, index: Index) -> Option<&Entry> {
        let place = index.0.checked_sub(self.base.index.0 + 1)?;
        self.log.get(usize::try_from(place).unwrap())
    }

    /// Whether this position is in the log, or was before it was trimmed.
    pub(crate) fn holds(&self, position: Position) -> bool {
        if position.index <= self.base.index {
            return position.term <= self.base.term;
        }
        self.entry(position.index).is_some_and(|entry| entry.position == position)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    pub(crate) fn write(&mut self, at: Time, id: WriteId, write: Write) {
        let at = self.pending.back().map_or(at, |last| last.0.max(at));
        self.pending.push_back((at, id, write));
    }

    /// Takes back some of the writes after `after`: the disk has begun the others.
    pub(crate) fn cancel(&mut self, after: WriteId, rng: &mut Rng) {
        let bound = self.pending.iter().filter(|write| write.1 <= after).count();
        let free = self.pending.len() - bound;
        let begun = usize::try_from(rng.below(free as u64 + 1)).unwrap();
        self.pending.truncate(bound + begun);
        let last = self.pending.back().map_or(self.done, |write| write.1);
        self.cancelled = Some(last);
    }

    /// When something becomes durable, or an answer is due.
    pub(crate) fn next(&self) -> Option<Time> {
        if self.held {
            return None;
        }
        let first = self.pending.front().map(|write| write.0);
        first.or_else(|| self.cancelled.map(|_| Time(0)))
    }

    /// Makes everything durable that is due, and tells so once; one answer a call.
    pub(crate) fn advance(&mut self, now: Time) -> Option<Done> {
        let before = self.done;
        while self.pending.front().is_some_and(|write| write.0 <= now) {
            let Some((_, id, write)) = self.pending.pop_front() else { break };
            self.apply(write);
            self.done = id;
        }
        if self.done > before {
            return Some(Done::Persisted(self.done));
        }
        let idle = self.pending.is_empty();
        self.cancelled.take_if(|_| idle).map(Done::Cancelled)
    }

    fn apply(&mut self, write: Write) {
        let Write { reset, cut, entries, epochs } = write;
        self.reset(reset);
        self.cut(cut);
        for entry in entries {
            self.append(entry);
        }
        self.epochs = epochs.unwrap_or(self.epochs);
    }

    fn reset(&mut self, base: Option<Position>) {
        if let Some(base) = base {
            self.base = base;
            self.log.clear();
        }
    }

    fn cut(&mut self, through: Option<Index>) {
        if let Some(through) = through {
            self.log.retain(|entry| entry.position.index <= through);
        }
    }

    fn append(&mut self, entry: Entry) {
        self.cut(Some(entry.position.index.previous()));
        assert_eq!(self.last().index.next(), entry.position.index, "ZI15: a gap in the log");
        self.log.push(entry);
    }

    /// Nothing of what is under way will ever be durable.
    pub(crate) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// Power is lost: of what was under way, a prefix has become durable, down to the parts of one
    /// write.
    pub(crate) fn crash(&mut self, rng: &mut Rng) {
        self.held = false;
        self.cancelled = None;
        let whole = rng.below(self.pending.len() as u64 + 1);
        for _ in 0..whole {
            let Some((_, _, write)) = self.pending.pop_front() else { break };
            self.apply(write);
        }
        if let Some((_, _, write)) = self.pending.pop_front() {
            let Write { reset, cut, entries, .. } = write;
            let parts = rng.below(entries.len() as u64 + 3);
            self.reset(reset.filter(|_| parts > 0));
            self.cut(cut.filter(|_| parts > 1));
            let torn = usize::try_from(parts.saturating_sub(2)).unwrap();
            // A part that was not written is followed by none.
            for entry in entries.into_iter().take(torn) {
                self.append(entry);
            }
        }
        self.pending.clear();
        self.done = WriteId(0);
    }

    pub(crate) fn trim(&mut self, through: Index) {
        if let Some(entry) = self.entry(through) {
            self.base = entry.position;
            self.log.retain(|entry| entry.position.index > through);
        }
    }

    /// What a process finds that starts on this disk, with a state that covers `applied`.
    pub(crate) fn restored(&mut self, state: &[Entry]) -> Restored {
        let applied = state.last().map_or(Position::ORIGIN, |entry| entry.position);
        if !self.holds(applied) {
            // The state was installed, and the log had not begun anew yet.
            self.reset(Some(applied));
        }
        let mut terms: Vec<(Index, Term)> = Vec::new();
        for Entry { position: Position { term, index }, .. } in &self.log {
            if terms.last().is_none_or(|run| run.1 < *term) {
                terms.push((*index, *term));
            }
        }
        let after = |entry: &&Entry| entry.position.index > applied.index;
        let entries = self.log.iter().filter(after).cloned().collect();
        let (epochs, base) = (self.epochs, self.base);
        Restored { epochs, base, terms, entries, applied: applied.index, doubt: None }
    }
}
