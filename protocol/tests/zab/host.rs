//! One node with what belongs to it.

use std::collections::BTreeMap;

use protocol::zab::{Config, Entry, ReadId, Tag, Zab};
use protocol::{Index, NodeId, Position, Time};

use crate::disk::Disk;

/// A state that is about to take the place of the one before.
pub(crate) struct Install {
    pub(crate) at: Time,
    pub(crate) last: Position,
    pub(crate) state: Vec<Entry>,
}

/// One node with what belongs to it. Disk and durable state outlive the process.
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) zab: Option<Zab>,
    pub(crate) disk: Disk,
    /// What the state machine has applied.
    pub(crate) state: Vec<Entry>,
    /// How much of it survives a crash.
    pub(crate) flushed: usize,
    pub(crate) install: Option<Install>,
    /// When what piled up is done.
    pub(crate) drain_at: Option<Time>,
    /// How many pieces of which state have come.
    pub(crate) staged: (u64, u64),
    /// Which state each peer is being sent.
    pub(crate) transfers: BTreeMap<NodeId, u64>,
    pub(crate) reads: BTreeMap<ReadId, Option<Index>>,
    pub(crate) refused: Vec<Tag>,
}

impl Host {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            zab: None,
            disk: Disk::default(),
            state: Vec::new(),
            flushed: 0,
            install: None,
            drain_at: None,
            staged: (0, 0),
            transfers: BTreeMap::new(),
            reads: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    /// The new state takes the place of the old one, durably, when it is ahead of it.
    pub(crate) fn begin_anew(&mut self, install: Install) -> bool {
        let ahead = install.last.index.0 > self.state.len() as u64;
        if ahead {
            self.state = install.state;
            self.flushed = self.state.len();
        }
        ahead
    }
}
