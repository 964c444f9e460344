//! What both modes have: a clock, the others as the pool shows them, and what goes out.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use super::boundary::{Config, Leader, Output, Shown, Standing, Warning};
use super::rank::Rank;
use crate::{NodeId, Rng, Time};

/// Candidates that are heeded.
const PEERS: usize = 1_024;
/// Different warnings that one process gives.
const WARNINGS: usize = 256;

/// Another candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    pub(super) rank: Rank,
    pub(super) standing: Standing,
}

/// What both modes have. Laws:
///
/// - time does not go back;
/// - this candidate is not among the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Core {
    pub(super) config: Config,
    pub(super) now: Time,
    pub(super) started: Option<Time>,
    pub(super) rng: Rng,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    pub(super) leader: Option<Leader>,
    pub(super) outbox: VecDeque<Output>,
    /// Messages that made no sense.
    pub(super) dropped: u64,
    freshness: u64,
    warned: BTreeSet<Warning>,
}

impl Core {
    pub(super) fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            now: Time(0),
            started: None,
            rng: Rng::new(seed),
            peers: BTreeMap::new(),
            leader: None,
            outbox: VecDeque::new(),
            dropped: 0,
            freshness: 0,
            warned: BTreeSet::new(),
        }
    }

    /// Takes the time; `true` the first time.
    pub(super) fn tick(&mut self, now: Time) -> bool {
        self.now = self.now.max(now);
        let first = self.started.is_none();
        self.started.get_or_insert(self.now);
        first
    }

    pub(super) fn id(&self) -> NodeId {
        self.config.id
    }

    pub(super) fn rank(&self) -> Rank {
        self.config.ranking.rank(self.config.id, self.config.priority, self.freshness)
    }

    /// `true` when that is news.
    pub(super) fn freshness(&mut self, freshness: u64) -> bool {
        core::mem::replace(&mut self.freshness, freshness) != freshness
    }

    pub(super) fn out(&mut self, output: Output) {
        self.outbox.push_back(output);
    }

    /// `true` when that is news.
    pub(super) fn priority(&mut self, priority: u64) -> bool {
        core::mem::replace(&mut self.config.priority, priority) != priority
    }

    /// Each once, and no more than so many.
    pub(super) fn warn(&mut self, warning: Warning) {
        if self.warned.len() < WARNINGS && self.warned.insert(warning.clone()) {
            self.out(Output::Warn(warning));
        }
    }

    pub(super) fn saw(&mut self, shown: &Shown, standing: Standing) {
        let rank = shown.rank;
        if rank.id == self.config.id {
            return;
        }
        if self.peers.len() >= PEERS && !self.peers.contains_key(&rank.id) {
            return self.warn(Warning::Crowded);
        }
        self.peers.insert(rank.id, Peer { rank, standing });
    }

    /// A message tells the sender's rank, of those that the pool knows.
    pub(super) fn heard(&mut self, from: NodeId, rank: Rank) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.rank = rank;
        }
    }

    /// Who leads now.
    pub(super) fn follow(&mut self, leader: Option<Leader>) {
        if self.leader != leader {
            self.leader = leader;
            self.out(Output::Leader(leader));
        }
    }

    /// A little while, so that not all act at once.
    pub(super) fn stagger(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng.below(nanos))
    }

    /// Forgets what behaviour does not depend on.
    #[cfg(feature = "explore")]
    pub(super) fn forget_history(&mut self) {
        self.warned.clear();
        self.dropped = 0;
    }

    pub(super) fn assert_invariants(&self) {
        assert!(self.started.is_none_or(|started| started <= self.now), "time does not go back");
        assert!(!self.peers.contains_key(&self.config.id), "nobody is its own peer");
        assert!(self.peers.len() <= PEERS, "the others have a limit");
    }
}
