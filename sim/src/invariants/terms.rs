//! Every entry that any leader ever made, by term and index, and who led.
//!
//! A leader makes the entries of its term one after the other, so each term is one run; and what
//! came before the run in that leader's log is fixed when the run begins. So the whole log of the
//! leader of any term can be read here, long after it has been cut off everywhere.

use protocol::raft::Payload;
use protocol::{Index, Position, Term};

use super::shadow::Slot;
use crate::seen::Place;

/// The entries of one term.
#[derive(Clone, Debug)]
struct Run {
    term: Term,
    leader: Option<Place>,
    /// The entry before the first, in the log of this term's leader.
    before: (Index, Slot),
    chains: Vec<u64>,
    /// What they carry, until they are committed.
    payloads: Vec<Payload>,
}

/// What does not fit to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Another entry with this position exists, or another log before it.
    Differs,
    /// The first entry of its term is known to stand elsewhere.
    Elsewhere(Index),
}

/// All terms in which somebody led, ascending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    runs: Vec<Run>,
}

impl Terms {
    fn place(&self, term: Term) -> Result<usize, usize> {
        match self.runs.last() {
            Some(last) if last.term == term => Ok(self.runs.len() - 1),
            Some(last) if last.term < term => Err(self.runs.len()),
            None => Err(0),
            Some(_) => self.runs.binary_search_by_key(&term, |run| run.term),
        }
    }

    fn run_mut(&mut self, term: Term) -> &mut Run {
        let place = self.place(term).unwrap_or_else(|place| {
            let before = (Index(0), Slot::ORIGIN);
            let (chains, payloads) = (Vec::new(), Vec::new());
            self.runs.insert(place, Run { term, leader: None, before, chains, payloads });
            place
        });
        &mut self.runs[place]
    }

    /// Who leads, or led, in a term.
    pub(crate) fn leader(&self, term: Term) -> Option<Place> {
        self.runs[self.place(term).ok()?].leader
    }

    /// Notes who leads in a term. Gives who does, by what was known before.
    pub(crate) fn lead(&mut self, term: Term, at: Place) -> Place {
        *self.run_mut(term).leader.get_or_insert(at)
    }

    /// Notes an entry that follows `before`.
    pub(crate) fn note(
        &mut self,
        position: Position,
        before: Slot,
        slot: Slot,
        payload: &Payload,
    ) -> Result<(), Misfit> {
        let run = self.run_mut(position.term);
        if run.chains.is_empty() {
            run.before = (position.index.previous(), before);
        }
        let first = run.before.0.next();
        let place = position.index.0.checked_sub(first.0).ok_or(Misfit::Elsewhere(first))?;
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        match run.chains.get(place) {
            Some(&chain) if chain == slot.chain => Ok(()),
            Some(_) => Err(Misfit::Differs),
            None if place == run.chains.len() => {
                run.chains.push(slot.chain);
                run.payloads.push(payload.clone());
                Ok(())
            }
            None => Err(Misfit::Elsewhere(first)),
        }
    }

    /// The chain of the entry with this position, when anybody ever made it.
    pub(crate) fn chain(&self, position: Position) -> Option<u64> {
        let run = &self.runs[self.place(position.term).ok()?];
        run.chain(position.index)
    }

    /// The chain at `index` in the log of the leader of `term`, as far as it is known.
    pub(crate) fn chain_in_log_of(&self, term: Term, index: Index) -> Option<u64> {
        let mut run = &self.runs[self.place(term).ok()?];
        loop {
            let (before, slot) = run.before;
            if index > before {
                return run.chain(index);
            }
            if index == before {
                return (!run.chains.is_empty()).then_some(slot.chain);
            }
            run = &self.runs[self.place(slot.term).ok()?];
        }
    }

    /// Gives up what an entry carries: it is committed, and kept elsewhere.
    pub(crate) fn take_payload(&mut self, position: Position) -> Payload {
        let run = self.run_mut(position.term);
        let place = position.index.0.saturating_sub(run.before.0.next().0);
        let payload = usize::try_from(place).ok().and_then(|place| run.payloads.get_mut(place));
        payload.map_or(Payload::Empty, |payload| std::mem::replace(payload, Payload::Empty))
    }
}

impl Run {
    fn chain(&self, index: Index) -> Option<u64> {
        let place = index.0.checked_sub(self.before.0.next().0)?;
        self.chains.get(usize::try_from(place).ok()?).copied()
    }
}
