//! What strikes hold while they last.
//!
//! Laws:
//!
//! - each strike owns what it does: its end takes away that, and nothing that another strike does
//!   to the same link, disk or process;
//! - where several hold the same thing, the worst of each counts: the largest loss, the longest
//!   delay, the least room;
//! - a process that ended is held no longer, its disks and links are. An operation of a disk that
//!   was still to fail fails no more after a crash.
//!
//! A world is in the hands of a storm or of a script. What a script does to links by itself is
//! forgotten as soon as a strike takes hold of any.

use std::time::Duration;

use super::{Kind, Step};
use crate::fault::Fault;
use crate::seen::{Place, Seen};
use crate::world::{Link, Weather, World};

/// Who holds something: a strike, or a part of one that ends for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grip {
    /// The number of the strike.
    pub(super) strike: u32,
    /// Which part of it.
    pub(super) part: u8,
}

/// What a strike does to the world for a while.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Hold {
    /// These links are no better than this.
    Links(Vec<(Place, Place)>, Link),
    /// A process does not run; in this life of the node only.
    Process { at: Place, life: u64 },
    /// The disks of a node hold no more bytes than this.
    Room { at: Place, log: Option<u64>, state: Option<u64> },
    /// Syncs of a node's log take this much longer.
    Sync { at: Place, longer: Duration },
}

impl Hold {
    /// These links carry nothing. The weather is the usual one of the world.
    pub(super) fn cut(links: Vec<(Place, Place)>, weather: Weather) -> Self {
        Self::Links(links, Link { cut: true, ..Link::usual(weather) })
    }
}

/// Everything that is held.
#[derive(Debug, Default)]
pub(super) struct Holds(Vec<(Grip, Hold)>);

impl Holds {
    /// How much longer a sync of this node takes.
    pub(super) fn sync_delay(&self, at: Place) -> Duration {
        let longer = self.0.iter().filter_map(|(_, hold)| match hold {
            Hold::Sync { at: whose, longer } if *whose == at => Some(*longer),
            _ => None,
        });
        longer.max().unwrap_or(Duration::ZERO)
    }

    /// What is done to links, one strike's after the other.
    fn links(&self) -> impl Iterator<Item = (&[(Place, Place)], Link)> {
        self.0.iter().filter_map(|(_, hold)| match hold {
            Hold::Links(links, worse) => Some((links.as_slice(), *worse)),
            _ => None,
        })
    }

    fn stopped(&self, whose: Place, now: u64) -> bool {
        self.0.iter().any(|(_, hold)| *hold == Hold::Process { at: whose, life: now })
    }

    /// The room on a node's disks, for its log and for its state.
    fn room(&self, whose: Place) -> (Option<u64>, Option<u64>) {
        let less = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        self.0.iter().fold((None, None), |least, (_, hold)| match hold {
            Hold::Room { at, log, state } if *at == whose => {
                (less(least.0, *log), less(least.1, *state))
            }
            _ => least,
        })
    }

    fn take(&mut self, grip: Grip) -> Vec<Hold> {
        let gone = self.0.extract_if(.., |(whose, _)| *whose == grip);
        gone.map(|(_, hold)| hold).collect()
    }

    /// Everything is let go of, and stays as it is.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

impl World {
    /// A strike takes hold of something, until [`World::let_go`].
    pub(super) fn hold(&mut self, grip: Grip, hold: Hold) {
        self.storm.holds.0.push((grip, hold.clone()));
        self.settle(&hold);
    }

    /// A strike takes hold of something for this long.
    pub(super) fn hold_for(&mut self, lasting: Duration, grip: Grip, kind: Kind, hold: Hold) {
        self.hold(grip, hold);
        self.schedule(lasting, Step::Over(grip, kind));
    }

    /// The end of a strike, told.
    pub(super) fn end_of(&mut self, grip: Grip, kind: Kind) {
        self.eyes.see(self.now, &Seen::Fault(&Fault::Over { name: kind.name() }));
        self.let_go(grip);
    }

    /// A strike lets go of everything that it holds.
    pub(super) fn let_go(&mut self, grip: Grip) {
        for hold in self.storm.holds.take(grip) {
            self.settle(&hold);
        }
    }

    /// Makes the world what all holds together want of what this one is about.
    fn settle(&mut self, hold: &Hold) {
        match *hold {
            Hold::Links(..) => self.settle_links(),
            Hold::Process { at, .. } => {
                if self.storm.holds.stopped(at, self.machines[at].life) {
                    self.pause(at);
                } else {
                    self.resume(at);
                }
            }
            Hold::Room { at, .. } => self.settle_room(at),
            Hold::Sync { .. } => {}
        }
    }

    fn settle_links(&mut self) {
        let usual = Link::usual(self.options.weather);
        let Self { network, storm, .. } = self;
        network.all(|link| *link = usual);
        for (links, worse) in storm.holds.links() {
            for &(from, to) in links {
                let link = network.link(from, to);
                *link = link.worst(worse);
            }
        }
    }

    /// A disk is as full as it is held to be, whatever became of the machine.
    pub(crate) fn settle_room(&mut self, at: Place) {
        let (log, state) = self.storm.holds.room(at);
        self.set_capacity(at, log, state);
    }

    /// Starts a node after a while, unless it was started meanwhile.
    pub(crate) fn start_later(&mut self, after: Duration, at: Place) {
        let life = self.machines[at].life;
        self.schedule(after, Step::Start { at, life });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::Options;
    use crate::world::Status;

    const FIRST: Grip = Grip { strike: 1, part: 0 };
    const SECOND: Grip = Grip { strike: 2, part: 0 };

    fn world() -> World {
        let mut options = Options::of_seed(1);
        (options.nodes, options.disks.tables) = (3, true);
        World::new(options, 1)
    }

    fn both(world: &mut World, first: Hold, second: Hold) {
        world.hold(FIRST, first);
        world.hold(SECOND, second);
    }

    #[test]
    fn a_link_that_two_cut_carries_again_when_both_are_over() {
        let mut world = world();
        let weather = world.options.weather;
        let cut = |links: &[(Place, Place)]| Hold::cut(links.to_vec(), weather);
        both(&mut world, cut(&[(0, 1), (1, 0)]), cut(&[(0, 1), (0, 2)]));
        world.let_go(FIRST);
        let now =
            |world: &mut World| [(0, 1), (1, 0), (0, 2)].map(|(a, b)| world.network.link(a, b).cut);
        assert_eq!(now(&mut world), [true, false, true]);
        world.let_go(SECOND);
        assert_eq!(now(&mut world), [false; 3]);
    }

    #[test]
    fn of_two_on_one_link_the_worse_counts_in_everything() {
        let mut world = world();
        let fair = Link::usual(world.options.weather);
        let lossy = Weather { loss: 500_000, ..fair.weather };
        let one = Link { slow: Duration::from_secs(2), largest: Some(9), ..fair };
        let other = Link { slow: Duration::from_secs(1), largest: Some(5), weather: lossy, ..fair };
        both(&mut world, Hold::Links(vec![(0, 1)], one), Hold::Links(vec![(0, 1)], other));
        assert_eq!(*world.network.link(0, 1), Link { slow: one.slow, ..other });
        world.let_go(SECOND);
        assert_eq!(*world.network.link(0, 1), one);
        world.let_go(FIRST);
        assert_eq!(*world.network.link(0, 1), fair);
    }

    #[test]
    fn a_process_runs_when_nobody_holds_it_and_a_new_one_is_free() {
        let mut world = world();
        let stopped = |world: &World| matches!(world.machines[0].status, Status::Paused(_));
        let hold = Hold::Process { at: 0, life: world.machines[0].life };
        both(&mut world, hold.clone(), hold);
        world.let_go(FIRST);
        assert!(stopped(&world));
        world.let_go(SECOND);
        assert!(!stopped(&world));
        let hold = Hold::Process { at: 0, life: world.machines[0].life };
        both(&mut world, hold.clone(), hold);
        world.crash(0);
        world.start(0);
        world.let_go(FIRST);
        assert!(!stopped(&world) && world.node(0).is_some());
    }

    #[test]
    fn a_disk_has_the_least_room_and_a_crash_gives_it_none() {
        let mut world = world();
        let room = |log, state| Hold::Room { at: 0, log, state };
        both(&mut world, room(Some(9), None), room(Some(7), Some(5)));
        assert_eq!(world.storm.holds.room(0), (Some(7), Some(5)));
        world.let_go(SECOND);
        assert_eq!(world.storm.holds.room(0), (Some(9), None));
        world.crash(0);
        let mut disk = world.machines[0].log.get();
        assert!(storage::disk::Disk::create(&mut *disk, "new", 4_096).is_err());
        drop(disk);
        world.let_go(FIRST);
        let mut disk = world.machines[0].log.get();
        assert!(storage::disk::Disk::create(&mut *disk, "new", 4_096).is_ok());
    }

    #[test]
    fn a_sync_waits_for_the_slowest() {
        let mut world = world();
        let slow = |seconds| Hold::Sync { at: 0, longer: Duration::from_secs(seconds) };
        both(&mut world, slow(2), slow(1));
        assert_eq!(world.storm.sync_delay(0), Duration::from_secs(2));
        world.let_go(FIRST);
        assert_eq!(world.storm.sync_delay(0), Duration::from_secs(1));
        assert_eq!(world.storm.sync_delay(1), Duration::ZERO);
    }

    /// What started a node before its last end was not for that end.
    #[test]
    fn an_older_start_does_not_shorten_a_later_end() {
        let mut world = world();
        world.crash(0);
        world.start_later(Duration::from_secs(1), 0);
        world.start(0);
        world.crash(0);
        world.start_later(Duration::from_secs(5), 0);
        world.run_for(Duration::from_secs(3));
        assert!(world.node(0).is_none());
        world.run_for(Duration::from_secs(3));
        assert!(world.node(0).is_some());
    }
}
