//! Receiving: pieces are verified, staged beside the state of before, and switched to as one.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};
use protocol::{NodeId, Position, raft};
use store::snapshot::{Piece, PieceError, PieceReader};
use store::{BackendError, Revision, Store};

use super::WINDOW;
use crate::node::Node;
use crate::output::Output;

/// A snapshot that is being received.
#[derive(Debug)]
pub(crate) struct Receiving {
    from: NodeId,
    last: Position,
    /// The piece that is needed next.
    next: u64,
    /// Pieces that came before their turn.
    ahead: BTreeMap<u64, Bytes>,
    reader: PieceReader,
    meta: Vec<(Bytes, Bytes)>,
    stage: Stage,
    /// The store as far as it has come.
    building: Option<store::Restoring>,
}

/// What a transfer waits for.
#[derive(Debug)]
enum Stage {
    /// The next piece.
    Piece,
    /// The state's thread, which stages a piece.
    Staging,
    /// The state's thread, which installs the whole. The store takes its place afterwards.
    Installing(Box<Store>, Vec<Revision>),
}

impl Receiving {
    fn new(from: NodeId, last: Position) -> Self {
        Self {
            from,
            last,
            next: 0,
            ahead: BTreeMap::new(),
            reader: PieceReader::default(),
            meta: Vec::new(),
            stage: Stage::Piece,
            building: None,
        }
    }

    /// Whether the state is being replaced right now: nothing may be flushed or applied to the one
    /// of before.
    pub(crate) fn is_installing(&self) -> bool {
        matches!(self.stage, Stage::Installing(..))
    }
}

/// Why a snapshot was not installed. The state of before goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotRefused {
    /// It is incomplete, or this replica cannot read it.
    Piece(PieceError),
    /// The pieces verify, and what they say cannot be.
    State(store::RestoreError),
    /// It is of no use: this replica has come further by itself.
    Useless,
    /// It could not be stored.
    Backend(BackendError),
}

impl fmt::Display for SnapshotRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Piece(error) => error.fmt(f),
            Self::State(error) => write!(f, "the snapshot contradicts itself: {error}"),
            Self::Useless => f.write_str("the snapshot is older than the state here"),
            Self::Backend(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SnapshotRefused {}

impl Node {
    /// A piece came in.
    pub(crate) fn piece(&mut self, from: NodeId, last: Position, number: u64, data: Bytes) {
        let current = self.receiving.as_ref().is_some_and(|it| (it.from, it.last) == (from, last));
        if !current {
            if self.receiving.as_ref().is_some_and(Receiving::is_installing) {
                return;
            }
            if number != 0 {
                // The first pieces went to an earlier run of this replica, or got lost.
                return self.answer_piece(from, last, Some(0));
            }
            if last.index <= self.store.applied().index && !planted(Mutant::R17) {
                return self.answer_piece(from, last, None);
            }
            self.give_up_receiving();
            self.receiving = Some(Receiving::new(from, last));
            self.output(Output::StageBegin);
        }
        let Some(receiving) = &mut self.receiving else { return };
        if number < receiving.next {
            let next = receiving.next;
            return self.answer_piece(from, last, Some(next));
        }
        if number - receiving.next < WINDOW as u64 {
            receiving.ahead.insert(number, data);
            debug_assert!(receiving.ahead.len() <= WINDOW, "what was taken is not kept");
        }
        self.take_piece();
    }

    /// Takes the next piece, if it is there and its turn has come.
    fn take_piece(&mut self) {
        let Some(receiving) = &mut self.receiving else { return };
        if !matches!(receiving.stage, Stage::Piece) {
            return;
        }
        let Some(data) = receiving.ahead.remove(&receiving.next) else { return };
        let piece = receiving.reader.piece(&data);
        let taken = match piece {
            // A damaged piece is one that has not come: it will be sent again.
            Err(PieceError::Damaged) => return,
            // Of another row of pieces: the sender has begun anew, or another one has.
            Err(PieceError::Incomplete) => {
                let (from, last) = (receiving.from, receiving.last);
                self.give_up_receiving();
                return self.answer_piece(from, last, Some(0));
            }
            Err(error) => Err(SnapshotRefused::Piece(error)),
            Ok(Piece::Meta(meta)) => {
                receiving.meta.extend(meta);
                receiving.next += 1;
                Ok(())
            }
            Ok(Piece::Records(records)) => self.stage(records),
            Ok(Piece::End(applied)) => self.install(applied),
        };
        let Some(receiving) = &self.receiving else { return };
        let (from, last, next) = (receiving.from, receiving.last, receiving.next);
        match taken {
            Ok(()) if matches!(receiving.stage, Stage::Piece) => {
                self.answer_piece(from, last, Some(next));
                self.take_piece();
            }
            Ok(()) => {}
            Err(why) => self.refuse_snapshot(why),
        }
    }

    fn stage(&mut self, records: Vec<(Revision, store::Record)>) -> Result<(), SnapshotRefused> {
        let Some(receiving) = &mut self.receiving else { return Ok(()) };
        let building = self.config.limits;
        let building = match &mut receiving.building {
            Some(building) => building,
            none => {
                let begun = Store::restore(building, receiving.meta.clone());
                none.insert(begun.map_err(SnapshotRefused::State)?)
            }
        };
        for (revision, record) in &records {
            building.record(*revision, record);
        }
        receiving.stage = Stage::Staging;
        self.output(Output::Stage(records));
        Ok(())
    }

    fn install(&mut self, applied: Position) -> Result<(), SnapshotRefused> {
        let limits = self.config.limits;
        let Some(receiving) = &mut self.receiving else { return Ok(()) };
        if applied != receiving.last {
            return Err(SnapshotRefused::Piece(PieceError::Incomplete));
        }
        if applied.index <= self.store.applied().index && !planted(Mutant::R17) {
            return Err(SnapshotRefused::Useless);
        }
        let building = match receiving.building.take() {
            Some(building) => building,
            None => {
                Store::restore(limits, receiving.meta.clone()).map_err(SnapshotRefused::State)?
            }
        };
        let (store, dead) = building.finish().map_err(SnapshotRefused::State)?;
        receiving.stage = Stage::Installing(Box::new(store), dead);
        let meta = store::installed(core::mem::take(&mut receiving.meta), applied);
        self.output(Output::Install { meta, applied });
        if planted(Mutant::R18) {
            self.consensus(raft::Input::Installed { last: applied, membership: None });
        }
        Ok(())
    }

    /// The state's thread has staged a piece.
    pub(crate) fn staged(&mut self, result: Result<(), BackendError>) {
        if self.stages_to_ignore > 0 {
            self.stages_to_ignore -= 1;
            return;
        }
        let Some(receiving) = &mut self.receiving else { return };
        let (from, last) = (receiving.from, receiving.last);
        receiving.stage = Stage::Piece;
        match result {
            Ok(()) => {}
            // The disk is full: the state of before goes on, and so may another attempt.
            Err(error @ BackendError::Full(_)) => {
                return self.refuse_snapshot(SnapshotRefused::Backend(error));
            }
            // The state is closed to writing, and only a restart opens it again.
            Err(error @ (BackendError::Corrupt(_) | BackendError::Io(_))) => {
                return self.halt(error);
            }
        }
        receiving.next += 1;
        let next = receiving.next;
        // Copies of what was staged meanwhile.
        receiving.ahead.retain(|number, _| *number >= next);
        self.answer_piece(from, last, Some(next));
        self.take_piece();
    }

    /// The state's thread has switched to the new state, or could not.
    pub(crate) fn installed(&mut self, result: Result<(), BackendError>) {
        let Some(receiving) = self.receiving.take() else { return };
        let Receiving { from, last, next, stage, .. } = receiving;
        let Stage::Installing(store, dead) = stage else { return };
        if let Err(error) = result {
            match error {
                BackendError::Full(_) => {
                    self.answer_piece(from, last, None);
                    let why = SnapshotRefused::Backend(error);
                    return self.output(Output::SnapshotRefused { from, why });
                }
                BackendError::Corrupt(_) | BackendError::Io(_) => return self.halt(error),
            }
        }
        self.answer_piece(from, last, Some(next + 1));
        self.replace(*store);
        self.counters.snapshots_installed += 1;
        if !dead.is_empty() {
            self.output(Output::Discard(dead));
        }
        let membership = self.store.membership().cloned();
        self.consensus(raft::Input::Installed { last, membership });
    }

    /// Goes on with another state.
    fn replace(&mut self, store: Store) {
        self.store = store;
        self.apply.restart();
        self.flushing.replaced(self.store.applied());
        self.equality.replaced();
        self.settled_by(&Ok(self.store.applied().index));
        self.hub.restored(&self.store);
        self.store.set_watched(self.hub.watched());
        // Whether they are among what came as a whole, nobody here can tell.
        for (waiter, failure) in self.writes.lose_track(self.core.term()) {
            self.fail(waiter, failure);
        }
    }

    fn refuse_snapshot(&mut self, why: SnapshotRefused) {
        let Some(Receiving { from, last, .. }) = self.receiving else { return };
        self.give_up_receiving();
        self.answer_piece(from, last, None);
        self.output(Output::SnapshotRefused { from, why });
    }

    /// Somebody else leads, or nobody: what has been staged is of no use, except to be installed.
    pub(crate) fn sender_changed(&mut self, leader: Option<NodeId>) {
        let lost = |receiving: &Receiving| leader != Some(receiving.from);
        if self.receiving.as_ref().is_some_and(|it| lost(it) && !it.is_installing()) {
            self.give_up_receiving();
        }
    }

    fn give_up_receiving(&mut self) {
        let Some(receiving) = self.receiving.take() else { return };
        self.stages_to_ignore += u32::from(matches!(receiving.stage, Stage::Staging));
        self.output(Output::StageAbort);
    }

    fn answer_piece(&mut self, to: NodeId, last: Position, next: Option<u64>) {
        self.consensus(raft::Input::ChunkReply { to, last, next });
    }
}
