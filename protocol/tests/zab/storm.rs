//! Everything at random, from one seed: crashes at any point of a write, links that break and
//! stall, partitions, slow disks, trimmed logs. The judge watches; in the end all must agree.

use protocol::zab::{Event, Timing};
use protocol::{NodeId, Rng};

use crate::world::{MS, World, brisk, id};

/// How a storm is told what to do.
struct Storm {
    world: World,
    rng: Rng,
    voters: u64,
    all: u64,
}

/// One life of a cluster. Gives what the nodes have told about themselves.
pub(crate) fn storm(seed: u64) -> Vec<(NodeId, Event)> {
    let mut rng = Rng::new(seed ^ 0x5a5a_5a5a);
    let voters = [3, 3, 3, 4, 5][usize::try_from(rng.below(5)).unwrap()];
    let observers = u64::from(rng.below(4) == 0);
    let wait = 1 + u32::try_from(rng.below(10)).unwrap();
    let timing = Timing { finalize_wait: wait * MS, ..brisk() };
    let mut world = World::new(seed, voters, observers, &timing);
    world.delay = 1..=1 + rng.below(6);
    world.disk_delay = 1..=1 + rng.below(8);
    world.lazy = [0, 0, 30][usize::try_from(rng.below(3)).unwrap()];
    let mut storm = Storm { world, rng, voters, all: voters + observers };
    let strikes = 10 + storm.rng.below(30);
    for _ in 0..strikes {
        storm.strike();
        let pause = [1, 4, 15, 60][usize::try_from(storm.rng.below(4)).unwrap()];
        let pause = 1 + storm.rng.below(pause);
        storm.world.run_for(u32::try_from(pause).unwrap() * MS);
    }
    storm.calm();
    storm.world.events
}

impl Storm {
    fn any(&mut self) -> u64 {
        1 + self.rng.below(self.all)
    }

    fn pair(&mut self) -> (u64, u64) {
        let a = self.any();
        let b = 1 + (a - 1 + 1 + self.rng.below(self.all - 1)) % self.all;
        (a, b)
    }

    fn strike(&mut self) {
        let (node, (a, b)) = (self.any(), self.pair());
        match self.rng.below(20) {
            0..=2 => self.crash_or_start(node),
            3 => {
                // Whoever leads, or was about to.
                if let Some(leader) = self.world.leader() {
                    self.world.crash(leader);
                }
            }
            4 => self.start_all(),
            5 => self.world.cut(id(a), id(b), None),
            6 => self.world.sever(a, b),
            7 => self.isolate(node),
            8 | 9 => self.world.heal(),
            10 if self.rng.below(2) == 0 => self.world.black_hole(a, b),
            10 => self.world.net.stall(id(a), id(b), true),
            11 => self.world.disk(node).held = true,
            12 => self.release_disks(),
            13 | 14 => {
                let keep = self.rng.below(4);
                self.world.flush_and_trim(id(node), keep);
            }
            15 => {
                self.world.read(node);
            }
            _ => {
                for _ in 0..=self.rng.below(4) {
                    self.world.propose(node);
                }
            }
        }
    }

    fn crash_or_start(&mut self, node: u64) {
        if self.world.is_running(id(node)) {
            self.world.crash(id(node));
        } else {
            self.world.start(id(node));
        }
    }

    fn start_all(&mut self) {
        for node in self.world.ids() {
            if !self.world.is_running(node) {
                self.world.start(node);
            }
        }
    }

    fn isolate(&mut self, node: u64) {
        for other in (1..=self.all).filter(|&other| other != node) {
            self.world.sever(node, other);
        }
    }

    fn release_disks(&mut self) {
        for node in self.world.ids() {
            self.world.host(node).disk.held = false;
        }
    }

    /// The storm is over: everybody comes to agree, and what is proposed is applied.
    fn calm(&mut self) {
        self.release_disks();
        self.start_all();
        self.world.heal();
        // A link that broke at the end of the storm may not have been noticed yet.
        self.world.run_for(500 * MS);
        self.world.settle();
        let command = self.world.propose(self.voters);
        let all: Vec<NodeId> = self.world.ids();
        self.world.run_until("a command is applied everywhere", |world| {
            all.iter().all(|node| world.has_applied(node.0, &command))
        });
        self.world.settle();
        let reference = &self.world.hosts[&all[0]].state;
        for node in &all {
            assert_eq!(&self.world.hosts[node].state, reference, "ZI3: {node} differs");
        }
    }
}
