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
    let entries = range.map(|index| entry(index, term, bytes)).collect();
    Write { entries, ..Write::default() }
}

pub fn vote(term: u64, node: u64, commit: u64) -> Write {
    Write { hard_state: Some(hard(term, node, commit)), ..Write::default() }
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

/// The log begins anew after this position.
pub fn reset(to: Position, hard_state: HardState) -> Write {
    Write { hard_state: Some(hard_state), reset: Some(to), ..Write::default() }
}

/// What the log must hold: the obvious twin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Twin {
    pub hard_state: HardState,
    /// Where the log last began anew.
    pub origin: Position,
    /// All entries after it, trimmed or not.
    pub entries: Vec<Entry>,
}

impl Twin {
    pub fn append(&mut self, write: &Write) {
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(reset) = write.reset {
            self.origin = reset;
            self.entries.clear();
        }
        if let Some(first) = write.entries.first() {
            self.entries.truncate(self.place(first.position.index));
            self.entries.extend_from_slice(&write.entries);
        }
    }

    pub fn last(&self) -> Position {
        self.entries.last().map_or(self.origin, |entry| entry.position)
    }

    /// The entries after a base that lies not before the last reset.
    pub fn after(&self, base: Position) -> &[Entry] {
        &self.entries[self.place(base.index.next())..]
    }

    fn after_if(&self, base: Position) -> Option<&[Entry]> {
        let holds = (self.origin.index..=self.last().index).contains(&base.index);
        holds.then(|| self.after(base))
    }

    fn place(&self, index: Index) -> usize {
        usize::try_from(index.0 - self.origin.index.0).unwrap() - 1
    }
}

/// What a fault left of a log, as far as it is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Exactly what was acknowledged.
    Acknowledged,
    /// What was on its way, or a beginning of it, and nothing acknowledged lost that it keeps.
    More,
}

/// Compares what a process found with what was acknowledged and what was on its way.
pub fn kept(held: &[Entry], base: Position, durable: &Twin, queued: &Twin) -> Kept {
    let old = durable.after_if(base);
    if old == Some(held) {
        return Kept::Acknowledged;
    }
    let new = queued.after_if(base).expect("a base that nobody asked for");
    assert!(new.starts_with(held), "entries that were never written");
    if queued.origin == durable.origin {
        let common = old.unwrap_or_default().iter().zip(new).take_while(|(a, b)| a == b).count();
        assert!(held.len() >= common, "acknowledged entries are lost");
    } else {
        assert_eq!(base, queued.origin, "trimmed before it was there");
    }
    Kept::More
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
/// overruled by later leaders, trims, gets a state in the place of its log, and restarts.
pub fn script(seed: u64, length: usize) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    let (mut twin, mut durable) = (Twin::default(), Twin::default());
    let mut term = 1;
    let mut steps = Vec::new();
    while steps.len() < length {
        let last = twin.last().index.0;
        let commit = twin.hard_state.commit.0;
        let step = match rng.below(21) {
            0 => Step::Reopen,
            20 => {
                // Beyond the end, in the midst of what was never committed, or at the end.
                let to = at((commit + rng.below(9)).max(commit + 1), term + 1);
                term += 1 + rng.below(2);
                let write = reset(to, hard(term, rng.below(4), to.index.0));
                let next = to.index.0 + 1;
                let after = entries(next..=next + rng.below(2), term, 60).entries;
                let entries = if rng.below(2) == 0 { after } else { Vec::new() };
                Step::Append(Write { entries, ..write })
            }
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

/// A log of several segments after the first script that makes one, with everything durable:
/// trimmed at first.
pub fn scripted() -> (FaultyDisk, Twin) {
    (5..100).find_map(|seed| after_script(seed, 200)).unwrap()
}

fn after_script(seed: u64, steps: usize) -> Option<(FaultyDisk, Twin)> {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = Log::open(&mut disk, small()).unwrap();
    let (mut twin, mut durable) = (Twin::default(), Twin::default());
    for (number, step) in script(seed, steps).into_iter().chain([Step::Sync]).enumerate() {
        match step {
            Step::Append(write) => {
                twin.append(&write);
                log.append(&write).unwrap();
            }
            Step::Sync => {
                log.sync().unwrap();
                durable.clone_from(&twin);
            }
            Step::Trim(_) if number > steps * 4 / 5 => {}
            Step::Trim(through) => {
                log.trim(through.min(durable.hard_state.commit)).unwrap();
            }
            Step::Reopen => {
                drop(log);
                log = Log::open(&mut disk, small()).unwrap().0;
                twin.clone_from(&durable);
            }
        }
    }
    let long = log.base().index > Index(0) && log.disk_bytes() >= 3 * small().segment_bytes;
    drop(log);
    long.then_some((disk, durable))
}

/// The files of a disk, with their lengths.
pub fn files(disk: &FaultyDisk) -> Vec<(String, usize)> {
    let files = disk.list().unwrap();
    files.into_iter().map(|f| (f.name, usize::try_from(f.bytes).unwrap())).collect()
}
