//! What the tests of the log share: small logs, a script, and what must be found after a fault.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use protocol::raft::{Entry, HardState, Payload, Write};
use protocol::{ClusterId, Index, NodeId, Position, Rng, Term};
use storage::Identity;
use storage::disk::{Disk, FaultyDisk};
use storage::log::{Log, LogOptions, OpenError, Recovered};

pub const IDENTITY: Identity = Identity { cluster: ClusterId(0xC0FFEE), node: NodeId(7) };

/// Segments of 8 KiB with pages of 1 KiB: a few batches each.
pub fn small() -> LogOptions {
    LogOptions {
        segment_bytes: 8 << 10,
        page_bytes: 1 << 10,
        batch_bytes: 4 << 10,
        spares: 1,
        ..LogOptions::new(IDENTITY)
    }
}

pub fn open<D: Disk>(disk: D) -> (Log<D>, Recovered) {
    Log::open(disk, small()).unwrap()
}

pub fn refusal(disk: &mut FaultyDisk) -> OpenError {
    match Log::open(disk, small()) {
        Ok((_, recovered)) => panic!("opened, with {recovered:?}"),
        Err(error) => error,
    }
}

pub fn at(index: u64, term: u64) -> Position {
    Position::new(Term(term), Index(index))
}

/// An entry whose payload depends on everything that names it.
pub fn entry(index: u64, term: u64, bytes: usize) -> Entry {
    let mut rng = Rng::new(index.wrapping_mul(31).wrapping_add(term));
    let payload: Vec<u8> = (0..bytes).map(|_| rng.next().to_le_bytes()[0]).collect();
    let payload = match (bytes, index % 7) {
        (0, _) => Payload::Empty,
        (_, 0) => Payload::Membership(payload.into()),
        _ => Payload::Command(payload.into()),
    };
    Entry { position: at(index, term), payload }
}

pub fn entries(range: std::ops::RangeInclusive<u64>, term: u64, bytes: usize) -> Write {
    Write { hard_state: None, entries: range.map(|index| entry(index, term, bytes)).collect() }
}

pub fn vote(term: u64, node: u64, commit: u64) -> Write {
    Write { hard_state: Some(hard(term, node, commit)), entries: Vec::new() }
}

pub fn hard(term: u64, node: u64, commit: u64) -> HardState {
    HardState { term: Term(term), vote: (node > 0).then_some(NodeId(node)), commit: Index(commit) }
}

pub fn write<D: Disk>(log: &mut Log<D>, write: &Write) {
    log.append(write).unwrap();
    log.sync().unwrap();
}

/// All entries that the log holds.
pub fn all<D: Disk>(log: &Log<D>) -> Vec<Entry> {
    log.read(log.base().index.next(), usize::MAX).unwrap()
}

/// What the log must hold: the obvious twin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Twin {
    pub hard_state: HardState,
    /// All entries from index 1 on, trimmed or not.
    pub entries: Vec<Entry>,
}

impl Twin {
    pub fn append(&mut self, write: &Write) {
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(first) = write.entries.first() {
            self.entries.truncate(usize::try_from(first.position.index.0).unwrap() - 1);
            self.entries.extend_from_slice(&write.entries);
        }
    }

    pub fn last(&self) -> Position {
        self.entries.last().map_or(Position::ORIGIN, |entry| entry.position)
    }

    pub fn after(&self, base: Position) -> &[Entry] {
        &self.entries[usize::try_from(base.index.0).unwrap()..]
    }
}

/// One step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    Append(Write),
    Sync,
    Trim(Index),
    Reopen,
}

/// A script of `length` steps that a follower could have lived through: it votes, appends, is
/// overruled by later leaders, trims and restarts.
pub fn script(seed: u64, length: usize) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    let (mut twin, mut durable) = (Twin::default(), Twin::default());
    let mut term = 1;
    let mut steps = Vec::new();
    while steps.len() < length {
        let last = twin.last().index.0;
        let commit = twin.hard_state.commit.0;
        let step = match rng.below(20) {
            0 => Step::Reopen,
            1 => Step::Trim(Index(commit.saturating_sub(rng.below(4)))),
            2..=7 => Step::Sync,
            8 | 9 => {
                term += 1;
                Step::Append(vote(term, rng.below(4), commit))
            }
            10 if last > commit => {
                let from = commit + 1 + rng.below(last - commit);
                let overruled = entries(from..=from + rng.below(3), term + 1, 40);
                term += 1;
                let hard_state = Some(hard(term, 0, commit));
                Step::Append(Write { hard_state, ..overruled })
            }
            _ => {
                let bytes = usize::try_from(rng.below(200)).unwrap();
                let count = rng.below(4);
                let mut append = entries(last + 1..=last + 1 + count, term, bytes);
                let commit = commit + rng.below(last + 1 - commit);
                let voted = twin.hard_state;
                let now = if voted.term == Term(term) { voted } else { hard(term, 0, 0) };
                append.hard_state = Some(HardState { commit: Index(commit), ..now });
                Step::Append(append)
            }
        };
        match &step {
            Step::Append(write) => twin.append(write),
            Step::Sync => durable.clone_from(&twin),
            Step::Reopen => twin.clone_from(&durable),
            Step::Trim(_) => {}
        }
        steps.push(step);
    }
    steps
}
