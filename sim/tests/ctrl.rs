//! Every subset of the copies of committed entries damaged (Alagappan et al., FAST'18): what has an
//! intact copy anywhere comes back, whatever is damaged around it; what has none stays unavailable,
//! and nobody makes up an answer.
//!
//! Production's log on simulated disks, production's mending and consensus; each case is a world.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::raft::{Entry, Payload};
use sim::swarm::Options;
use sim::world::{PresetLog, World};

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All nodes run, one leads, and all have all entries.
    Whole,
    /// Nobody leads, and nobody has applied anything.
    Unavailable,
}

/// A cluster that had committed `entries` puts on all of its nodes.
#[derive(Clone, Copy, Debug)]
struct Matrix {
    nodes: usize,
    entries: u64,
}

impl Matrix {
    const fn cases(self) -> u64 {
        1 << (self.nodes as u64 * self.entries)
    }

    fn is_bad(self, case: u64, node: usize, index: u64) -> bool {
        case >> (node as u64 * self.entries + index - 1) & 1 == 1
    }

    /// Whether each entry has an intact copy somewhere.
    fn has_all(self, case: u64) -> bool {
        let intact = |index| (0..self.nodes).any(|node| !self.is_bad(case, node, index));
        (1..=self.entries).all(intact)
    }

    fn run(self, case: u64) -> End {
        let mut options = Options::stage(self.nodes);
        options.record = false;
        options.consensus.election = Duration::from_millis(150)..=Duration::from_millis(300);
        options.consensus.heartbeat = Duration::from_millis(50);
        let terms: Vec<u64> = (1..=self.entries).map(|index| 1 + index / 3).collect();
        let term = *terms.last().unwrap();
        let log = PresetLog { terms, term, vote: None, commit: self.entries, puts: true };
        let mut world = World::at_rest(options, 1 + case, &vec![log; self.nodes]);
        for node in 0..self.nodes {
            for index in 1..=self.entries {
                let bad = self.is_bad(case, node, index);
                assert!(!bad || world.spoil_entry(node, index), "case {case}: nothing to damage");
            }
        }
        (0..self.nodes).for_each(|node| world.start(node));
        let wanted = usize::try_from(self.entries).unwrap();
        let whole = |world: &World, node: usize| {
            let log = world.log(node);
            world.view(node).is_some_and(|view| view.applied.index.0 > self.entries)
                && log.len() > wanted
                && log[..wanted].iter().zip(1..).all(|(entry, index)| self.is_put(entry, index))
        };
        for _ in 0..30 {
            world.run_for(Duration::from_millis(100));
            assert!(world.violation().is_none(), "case {case}: {:?}", world.violation());
            let led = world.leader().is_some();
            if led && (0..self.nodes).all(|node| whole(&world, node)) {
                return End::Whole;
            }
        }
        let dead = (0..self.nodes).all(|node| {
            world.view(node).is_none_or(|view| view.applied.index.0 == 0)
                && world.leader().is_none()
        });
        assert!(dead, "case {case}: neither whole nor unavailable");
        End::Unavailable
    }

    /// Whether an entry is the very one that was committed at its index.
    fn is_put(self, entry: &Entry, index: u64) -> bool {
        let Payload::Command(bytes) = &entry.payload else { return false };
        let value = format!("v{index}");
        entry.position.index.0 == index
            && entry.position.term.0 == 1 + index / 3
            && bytes.windows(value.len()).any(|window| window == value.as_bytes())
    }

    /// Runs each case that is chosen; gives how many ended whole and how many unavailable.
    fn sweep(self, chosen: impl Fn(u64) -> bool + Sync) -> (u64, u64) {
        let next = AtomicU64::new(0);
        let (whole, unavailable) = (AtomicU64::new(0), AtomicU64::new(0));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let case = next.fetch_add(1, Ordering::Relaxed);
                        if case >= self.cases() {
                            return;
                        }
                        if !chosen(case) {
                            continue;
                        }
                        let end = self.run(case);
                        let expected =
                            if self.has_all(case) { End::Whole } else { End::Unavailable };
                        assert_eq!(end, expected, "case {case}");
                        let counter = if end == End::Whole { &whole } else { &unavailable };
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        (whole.into_inner(), unavailable.into_inner())
    }
}

#[test]
fn s1_21_of_4096_damages_exactly_2401_are_made_good_and_1695_stay_safely_unavailable() {
    let matrix = Matrix { nodes: 3, entries: 4 };
    assert_eq!(matrix.sweep(|_| true), (2401, 1695));
}

#[test]
fn of_five_nodes_and_three_entries_what_has_an_intact_copy_comes_back() {
    let matrix = Matrix { nodes: 5, entries: 3 };
    let recoverable = (0..matrix.cases()).filter(|case| matrix.has_all(*case)).count();
    assert_eq!((matrix.cases(), recoverable), (32_768, 29_791));
    // Every so many, and all that are damaged most.
    let chosen = |case: u64| case.is_multiple_of(41) || case.count_ones() >= 14;
    let (whole, unavailable) = matrix.sweep(chosen);
    println!("{whole} whole, {unavailable} unavailable");
    assert!(whole > 500 && unavailable > 50);
}
