//! What the world remembers beyond crashes: the ghosts against which nodes are judged.
//!
//! A ghost is fed by what a node hands to its disk and by what the disk confirms, never by what
//! the node believes. It survives the crash of the node, so what comes back afterwards can be
//! compared with what was promised before.

use std::collections::VecDeque;

use protocol::raft::{HardState, Membership, Restored, Role, Write, WriteId};
use protocol::{Index, Position, Term, Time};

use super::committed::{CommittedEntry, CommittedLog};
use super::configurations::Configurations;
use super::shadow::{Shadow, Slot};
use super::terms::{Misfit, Terms};
use crate::fault::{DiskFault, Fault};
use crate::seen::{Place, View};

/// Names of [`Fault::Other`] after which a node may come back with less than it had promised.
pub const LOSSES: [&str; 2] = ["wiped disk", "old backup"];

/// A write on its way to the disk.
#[derive(Clone, Copy, Debug)]
struct Pending {
    id: WriteId,
    hard_state: Option<HardState>,
    /// The log begins anew after this position, before the entries.
    reset: Option<Position>,
    first: Index,
    count: usize,
    /// What the log held from `first` on goes.
    cuts: bool,
}

/// What the world remembers of one node.
#[derive(Clone, Debug, Default)]
pub struct Ghost {
    /// How often it has started.
    pub life: u64,
    /// The log as handed to its disk.
    pub log: Shadow,
    /// The log as its disk has confirmed it.
    pub durable: Shadow,
    /// The hard state as handed to its disk.
    pub hard: HardState,
    /// The hard state as its disk has confirmed it.
    pub hard_durable: HardState,
    /// The position before the first entry that it holds.
    pub base: Position,
    /// How it looked after its last turn, in this life.
    pub view: Option<View>,
    /// The index of the configuration in force after its last turn.
    pub ruled: Index,
    /// What its state machine has applied, in this life.
    pub applied: Index,
    /// A fault that may take away what is durable has struck its disk.
    pub damaged: bool,
    /// How much the disk of its log was harmed.
    pub harms: u32,
    /// How much the disk of its state was.
    pub state_harms: u32,
    /// Something durable was changed or taken, of its log or of its state: its disks may be
    /// refused.
    pub faulty: bool,
    /// An operator may have taken away even its term and its vote.
    pub replaced: bool,
    /// What its state on disk stands for.
    pub state: Index,
    /// The last state that it installed, in all its lives.
    pub installed: Option<Position>,
    /// The state that is being put in the place of its own.
    pub installing: Option<Position>,
    /// It has begun its log anew for a leader whose log went as far as this.
    pub surrendered: Option<Index>,
    /// A declared loss may have taken confirmed entries up to here.
    pub lost: Index,
    pending: VecDeque<Pending>,
    pending_slots: VecDeque<Slot>,
}

impl Ghost {
    /// Whether it was the leader of `term` after its last turn.
    pub(crate) fn leads(&self, term: Term) -> bool {
        self.view.is_some_and(|view| view.role == Role::Leader && view.term == term)
    }

    /// Whether a write on its way to the disk holds this entry.
    pub(crate) fn is_pending(&self, position: Position) -> bool {
        let mut start = 0;
        self.pending.iter().any(|write| {
            let slots = start;
            start += write.count;
            let place = position.index.0.checked_sub(write.first.0);
            let place = place.and_then(|place| usize::try_from(place).ok());
            place.filter(|&place| place < write.count).is_some_and(|place| {
                self.pending_slots.get(slots + place).is_some_and(|it| it.term == position.term)
            })
        })
    }

    /// Whether a write on its way to the disk begins with this index.
    pub(crate) fn is_replacing(&self, first: Index) -> bool {
        self.pending.iter().any(|write| write.cuts && write.first == first)
    }

    /// Whether the log is on its way to end there.
    pub(crate) fn is_cutting(&self, through: Index) -> bool {
        let ends =
            |write: &Pending| write.cuts && write.count == 0 && write.first == through.next();
        self.pending.iter().any(ends)
    }

    /// The hard states on their way to the disk.
    pub(crate) fn pending_hard_states(&self) -> impl Iterator<Item = HardState> {
        self.pending.iter().filter_map(|write| write.hard_state)
    }

    /// Whether its log may begin after this position, which is not in what was confirmed: a write
    /// under way says so, or the state was installed there and the log could not follow.
    pub(crate) fn may_begin_after(&self, base: Position, applied: Index) -> bool {
        let held = self.durable.position(base.index) == Some(base);
        let adopted = applied == base.index
            && (self.installed == Some(base) || self.installing == Some(base));
        self.pending.iter().any(|write| write.reset == Some(base)) || adopted && !held
    }
}

/// What the world remembers.
#[derive(Clone, Debug)]
pub struct Ghosts {
    pub(crate) nodes: Vec<Ghost>,
    pub(crate) terms: Terms,
    pub(crate) committed: CommittedLog,
    pub(crate) configurations: Configurations,
    /// The most revisions that one tick can make.
    expiries: u64,
}

impl Ghosts {
    pub(crate) fn new(nodes: usize, voters: usize, expiries: u64) -> Self {
        Self {
            nodes: vec![Ghost::default(); nodes],
            terms: Terms::default(),
            committed: CommittedLog::default(),
            configurations: Configurations::new(voters),
            expiries,
        }
    }

    /// All nodes, by their places.
    #[must_use]
    pub fn nodes(&self) -> &[Ghost] {
        &self.nodes
    }

    /// Who led in a term, as far as anybody has shown it.
    #[must_use]
    pub fn leader(&self, term: Term) -> Option<Place> {
        self.terms.leader(term)
    }

    /// The members as far as anybody knows them to be committed.
    pub(crate) fn members(&self) -> &Membership {
        let commits =
            |ghost: &&Ghost| ghost.hard.commit.max(ghost.view.map_or(Index(0), |it| it.commit));
        let furthest = self.nodes.iter().max_by_key(commits);
        let known = furthest
            .and_then(|ghost| self.configurations.within(&ghost.log, self.committed.last()).next());
        known.map_or_else(|| self.configurations.first(), |(_, membership)| membership)
    }

    /// A fault struck: whom may it have cost what was durable?
    pub(crate) fn struck(&mut self, fault: &Fault) {
        match *fault {
            Fault::Disk { at, what } => {
                let ghost = &mut self.nodes[at];
                // One bit of one file is found, mended or refused, and never lost in silence; a
                // write that went astray, and both copies of the hard state, may be.
                let (harms, rotten) = match what {
                    DiskFault::Rot => (1, true),
                    DiskFault::HeadRot | DiskFault::Astray => (2, true),
                    DiskFault::StateRot => (0, true),
                    DiskFault::WriteError
                    | DiskFault::SyncError
                    | DiskFault::Full
                    | DiskFault::Short
                    | DiskFault::ReadError
                    | DiskFault::Slow
                    | DiskFault::Stuck => (0, false),
                };
                ghost.harms += harms;
                ghost.state_harms += u32::from(what == DiskFault::StateRot);
                ghost.damaged |= ghost.harms > 1;
                ghost.faulty |= rotten;
            }
            Fault::Other { name, at: Some(at) } => {
                let ghost = &mut self.nodes[at];
                ghost.replaced |= LOSSES.contains(&name);
                ghost.damaged |= ghost.replaced;
                ghost.faulty |= ghost.replaced;
            }
            Fault::Other { at: None, .. }
            | Fault::Cut { .. }
            | Fault::Healed
            | Fault::Drift { .. }
            | Fault::Over { .. }
            | Fault::Jump { .. } => {}
        }
    }

    /// A write was handed over.
    pub(crate) fn handed(
        &mut self,
        at: Place,
        id: WriteId,
        write: &Write,
    ) -> Result<(), (Position, Misfit)> {
        let ghost = &mut self.nodes[at];
        if let Some(hard_state) = write.hard_state {
            ghost.hard = hard_state;
        }
        let first = write.entries.first().map_or(Index(0), |entry| entry.position.index);
        let count = write.entries.len();
        let (hard_state, reset) = (write.hard_state, write.reset);
        let cuts = count > 0;
        ghost.pending.push_back(Pending { id, hard_state, reset, first, count, cuts });
        if let Some(base) = reset {
            ghost.log = self.committed.through(base.index);
        }
        if count > 0 {
            ghost.log.cut(first);
        }
        let mut before = ghost.log.end();
        for entry in &write.entries {
            let slot = before.then(entry);
            self.terms
                .note(entry.position, before, slot, &entry.payload)
                .map_err(|misfit| (entry.position, misfit))?;
            self.configurations.note(entry.position, &entry.payload);
            ghost.log.push(slot);
            ghost.pending_slots.push_back(slot);
            before = slot;
        }
        Ok(())
    }

    /// The end of a log is to be cut off.
    pub(crate) fn cut(&mut self, at: Place, id: WriteId, through: Index) {
        let ghost = &mut self.nodes[at];
        let first = through.next();
        ghost.log.cut(first);
        let write = Pending { id, hard_state: None, reset: None, first, count: 0, cuts: true };
        ghost.pending.push_back(write);
    }

    /// Applies the confirmed writes to what is durable.
    pub(crate) fn confirm(&mut self, at: Place, id: WriteId) {
        let Self { nodes, committed, .. } = self;
        let ghost = &mut nodes[at];
        while let Some(write) = ghost.pending.front().copied().filter(|write| write.id <= id) {
            ghost.pending.pop_front();
            if let Some(hard_state) = write.hard_state {
                ghost.hard_durable = hard_state;
            }
            if let Some(base) = write.reset {
                ghost.durable = committed.through(base.index);
                ghost.base = base;
            }
            if write.cuts {
                ghost.durable.cut(write.first);
            }
            for slot in ghost.pending_slots.drain(..write.count) {
                ghost.durable.push(slot);
            }
        }
    }

    /// A node's state is durable at another position than before.
    pub(crate) fn flushed(&mut self, at: Place, applied: Index) {
        self.nodes[at].state = applied;
    }

    /// Another state took the place of a node's own, durably.
    pub(crate) fn installed(&mut self, at: Place, last: Position) {
        let ghost = &mut self.nodes[at];
        (ghost.state, ghost.installed, ghost.installing) = (last.index, Some(last), None);
    }

    /// The log that a disk gave back, as far as anybody knows its entries.
    pub(crate) fn recall(&self, at: Place, restored: &Restored) -> Result<Shadow, Strange> {
        let ghost = &self.nodes[at];
        let base = restored.base.index;
        let mut log = ghost.log.clone();
        if log.position(base) != Some(restored.base) {
            log = ghost.durable.clone();
        }
        if ghost.may_begin_after(restored.base, restored.applied) {
            log = self.committed.through(base);
        }
        if log.position(base) != Some(restored.base) {
            return Err(Strange(restored.base));
        }
        log.cut(base.next());
        let last = restored.entries.last().map_or(restored.applied, |entry| entry.position.index);
        let ends = restored.terms.iter().skip(1).map(|&(start, _)| start.previous());
        for (&(start, term), end) in restored.terms.iter().zip(ends.chain([last])) {
            for index in start.0..=end.0 {
                let position = Position { term, index: Index(index) };
                let chain = self.terms.chain(position).ok_or(Strange(position))?;
                log.push(Slot { term, chain });
            }
        }
        for entry in &restored.entries {
            let Position { index, .. } = entry.position;
            let before = log.slot(index.previous()).ok_or(Strange(entry.position))?;
            if log.slot(index) != Some(before.then(entry)) {
                return Err(Strange(entry.position));
            }
        }
        Ok(log)
    }

    /// A node starts from `log`, of which all is on its disk.
    pub(crate) fn started(&mut self, at: Place, life: u64, restored: &Restored, log: Shadow) {
        let ghost = &mut self.nodes[at];
        // An end that another entry replaces, or was about to, was given up by the node itself.
        let (common, before) = (ghost.durable.common(&log), ghost.durable.last_index());
        let given_up = common != log.last_index() || ghost.is_replacing(common.next());
        if common < before && (!given_up || ghost.damaged) {
            ghost.lost = ghost.lost.max(before);
        }
        let mut hard = restored.hard_state;
        hard.commit = hard.commit.min(log.last_index()).max(restored.applied);
        ghost.life = life;
        ghost.durable = log.clone();
        ghost.log = log;
        ghost.hard = hard;
        ghost.hard_durable = restored.hard_state;
        ghost.base = restored.base;
        ghost.view = None;
        ghost.ruled = self.configurations.in_force(&ghost.log).0;
        ghost.applied = restored.applied;
        ghost.state = restored.applied;
        ghost.installing = None;
        ghost.surrendered = None;
        ghost.pending.clear();
        ghost.pending_slots.clear();
    }

    /// What `at` knows to be committed, everybody may know from now on.
    pub(crate) fn commit(&mut self, now: Time, at: Place, through: Index, term: Term) {
        let log = &self.nodes[at].log;
        for index in self.committed.last().0 + 1..=through.0 {
            let index = Index(index);
            let Some(slot) = log.slot(index) else { return };
            let position = Position { term: slot.term, index };
            let payload = self.terms.take_payload(position);
            let most = CommittedEntry::most_revisions(&payload, self.expiries);
            let growth = self.committed.growth(index.previous()) + most;
            let entry = CommittedEntry { position, at: now, payload, chain: slot.chain, growth };
            self.committed.push(entry, term);
        }
    }
}

/// An entry on a disk that no node ever made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strange(pub(crate) Position);
