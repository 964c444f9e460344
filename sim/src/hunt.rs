//! Hunting planted bugs: what it takes until a check notices one.
//!
//! A bug that nothing in a campaign brings to light is a blind spot of the simulator. Only with the
//! feature `mutants` is there anything to hunt.
//!
//! # Grounds
//!
//! Most bugs show in any world. A few need several rare things at once, and those are hunted where
//! they are less rare: in worlds with the faults and the operations that it takes, and little else.
//! A ground never changes what is judged, or how; and on none of them a build without a bug breaks
//! a law. One bug needs so exact an order of events that it is hunted in a box of the
//! [explorer](crate::explore), which tries all orders.

use std::fmt;
use std::ops::Range;

use protocol::mutant::{self, Mutant};

use crate::case::Case;
use crate::explore::{BOXES, Counterexample, Explorer, NamedBox};
use crate::shrink::{self, Shrunk};
use crate::sweep::{Failure, Sweep, sweep};

/// Where a bug is hunted.
#[derive(Clone, Debug)]
pub enum Ground {
    /// Worlds that have this in common; the seed is another in each.
    Worlds(Box<Case>),
    /// Every order of events within a box.
    Box(&'static NamedBox),
    /// Not here. Two crashes at one place of one log are too rare for worlds, and a sweep over all
    /// operations of a script finds the bug; or it is none of a replica. This is where.
    Disks(&'static str),
}

/// How a bug was noticed.
#[derive(Clone, Debug)]
pub enum Kill {
    /// The first world that failed.
    World(Box<Failure>),
    /// The fewest steps that break a law.
    Steps(Box<Counterexample>),
}

/// What became of a hunt.
pub struct Hunt {
    /// What was planted.
    pub mutant: Mutant,
    /// Where it was hunted.
    pub ground: Ground,
    /// Worlds that were run until one failed; none in a box.
    pub seeds: u64,
    /// How it was noticed; `None`: it survived.
    pub kill: Option<Kill>,
    /// The least case that still fails, when one was looked for.
    pub shrunk: Option<Shrunk>,
}

impl Kill {
    /// The law that was broken.
    #[must_use]
    pub fn law(&self) -> String {
        match self {
            Self::World(failure) => failure.violation.law.to_owned(),
            Self::Steps(found) => found.broken.law.to_string(),
        }
    }
}

impl Hunt {
    /// Whether it was hunted here and not noticed.
    #[must_use]
    pub fn survived(&self) -> bool {
        self.kill.is_none() && !matches!(self.ground, Ground::Disks(_))
    }
}

/// Plants a bug and hunts it on its ground: in a box, or with these seeds until one fails, which is
/// then shrunk, trying at most `shrink` worlds. One hunt at a time in a process: the bug is planted
/// for all of it.
pub fn hunt(mutant: Mutant, seeds: Range<u64>, threads: usize, shrink: u32) -> Hunt {
    mutant::plant(Some(mutant));
    let ground = ground(mutant);
    let hunt = match &ground {
        Ground::Worlds(case) => among_worlds(mutant, case, seeds, threads, shrink),
        Ground::Box(named) => in_box(mutant, named),
        Ground::Disks(_) => {
            Hunt { mutant, ground: ground.clone(), seeds: 0, kill: None, shrunk: None }
        }
    };
    mutant::plant(None);
    hunt
}

fn among_worlds(
    mutant: Mutant,
    case: &Case,
    seeds: Range<u64>,
    threads: usize,
    shrink: u32,
) -> Hunt {
    let plan = Sweep { seeds, ground: case.clone(), threads, twice_every: 0, fail_fast: true };
    let tally = sweep(&plan, &mut |_| true);
    let kill = tally.failures.into_iter().next();
    let shrunk = kill
        .as_ref()
        .filter(|_| shrink > 0)
        .and_then(|kill| shrink::shrink(&kill.case, shrink, &mut |_, _| {}));
    let seeds = tally.seeds;
    let ground = Ground::Worlds(Box::new(case.clone()));
    Hunt { mutant, ground, seeds, kill: kill.map(|kill| Kill::World(Box::new(kill))), shrunk }
}

fn in_box(mutant: Mutant, named: &'static NamedBox) -> Hunt {
    let report = Explorer::new(named.bounds).run(u64::MAX, &mut |_| true);
    let kill = report.violation.map(|found| Kill::Steps(Box::new(found)));
    Hunt { mutant, ground: Ground::Box(named), seeds: 0, kill, shrunk: None }
}

/// The tests that hunt what the worlds of a cluster do not have.
fn tests(mutant: Mutant) -> Option<&'static str> {
    let file = match mutant {
        Mutant::F4 | Mutant::F5 => "storage/tests/mutants.rs",
        // Members of a pool are a world of their own.
        Mutant::S1
        | Mutant::S2
        | Mutant::S3
        | Mutant::S4
        | Mutant::S5
        | Mutant::S6
        | Mutant::S7
        | Mutant::S8
        | Mutant::S9 => "protocol/tests/swim_mutants.rs",
        Mutant::S10
        | Mutant::S11
        | Mutant::S12
        | Mutant::S13
        | Mutant::S14
        | Mutant::S15
        | Mutant::S16
        | Mutant::S17
        | Mutant::S18 => "protocol/tests/serf_mutants.rs",
        // So is Zab.
        Mutant::Z1
        | Mutant::Z2
        | Mutant::Z3
        | Mutant::Z4
        | Mutant::Z5
        | Mutant::Z6
        | Mutant::Z7
        | Mutant::Z8
        | Mutant::Z9 => "protocol/tests/zab_mutants.rs",
        // So is a founding.
        Mutant::B1 | Mutant::B2 | Mutant::B3 | Mutant::B4 => "sim/tests/founding_mutants.rs",
        // So are candidates that elect by gossip.
        Mutant::G1
        | Mutant::G2
        | Mutant::G3
        | Mutant::G4
        | Mutant::G5
        | Mutant::G6
        | Mutant::G7
        | Mutant::G8
        | Mutant::G9
        | Mutant::G10 => "sim/tests/bully_mutants.rs",
        _ => return None,
    };
    Some(file)
}

/// Where a bug is hunted: most in the worlds that seeds draw.
#[must_use]
pub fn ground(mutant: Mutant) -> Ground {
    if let Some(file) = tests(mutant) {
        return Ground::Disks(file);
    }
    let worlds = match mutant {
        Mutant::R11 => return in_the_box("late"),
        // A leader that is cut off and does not know it goes on filling its log.
        Mutant::R4 => "0:kinds=isolate-leader+mute-leader+kill-leader+split,unguarded",
        Mutant::R13 => "0:kinds=isolate-leader+split+deaf-leader+pause-leader,unguarded",
        // A slow clock at the leader, once it leads, and fast ones elsewhere.
        Mutant::R16 => "0:kinds=drift+drift+drift+isolate-leader,mix=put+get,lease=900",
        // Wishes that wait for a leader, many of them, and leaders that change.
        Mutant::R19 => {
            "0:kinds=two-operators+add-voter+replace+demote+slow-peer+kill,nodes=3,joiners=8"
        }
        Mutant::R20 => {
            "0:kinds=two-operators+two-operators+add-voter+replace+kill-leader+pause-leader,\
             nodes=3,joiners=8"
        }
        // Two voters and a learner that is the faster one of the others.
        Mutant::R21 => "0:kinds=add-learner+promote+demote+short-pause+kill,nodes=2,joiners=4",
        // Leaders that go and cannot hand over.
        Mutant::R22 => {
            "0:kinds=remove-leader+demote+add-voter+loss+gray-link+slow-peer+long-pause,\
             nodes=5,joiners=8"
        }
        // Disks that are lost while the others come and go.
        Mutant::R26 => {
            "0:kinds=wiped-disk+old-disk+kill+kill-leader+isolate-one+long-pause,nodes=3,joiners=8"
        }
        Mutant::R25 => "0:kinds=head-rot+kill+kill-leader",
        Mutant::W1 | Mutant::W2 => "0:kinds=log-rot+isolate-leader+kill-leader",
        // Segments that are used again, and restarts so seldom that their former life is of the
        // same process.
        Mutant::W5 => {
            "0:busy,clients=60,kinds=short-pause+short-pause+short-pause+kill-all,\
             mix=put+put+put+put+put+put+put+compact,spares=8"
        }
        // Records of one length, many of them in segments used again, and followers that are fed
        // from the disk.
        Mutant::W7 => {
            "0:busy,kinds=long-pause+astray+astray+astray+astray,\
             mix=delete+delete+delete+delete+delete+delete+compact,spares=8,cache=0"
        }
        // Snapshots, and bits that flip in their pieces.
        Mutant::W10 => {
            "0:busy,kinds=isolate-leader+flipped-bits+flipped-bits+long-pause+split,keep=0"
        }
        // Snapshots, and writes that are repeated after them.
        Mutant::X1 => "0:busy,kinds=isolate-leader+kill-leader+long-pause+split,keep=0,repeat",
        // Attempts that come after their client has done with the write.
        Mutant::X2 => "0:busy,kinds=short-pause+long-pause+kill-leader,repeat",
        // Links that are broken while both ends reach somebody else, of many nodes.
        Mutant::V1 | Mutant::V2 => "0:kinds=chain+bridge+star+one-way+ring,nodes=5,mesh",
        // Compactions and transactions in one batch at one node and in two at another.
        Mutant::E18667 => "0:kinds=short-pause,mix=put+compact+txn-mixed+txn-mixed",
        _ => "0",
    };
    Ground::Worlds(Box::new(worlds.parse().expect("invariant: a ground is a case")))
}

fn in_the_box(name: &str) -> Ground {
    let named = BOXES.iter().find(|named| named.name == name);
    Ground::Box(named.expect("invariant: the box of a ground exists"))
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worlds(case) => {
                let case = case.to_string();
                f.write_str(case.split_once(':').map_or("any", |(_, rest)| rest))
            }
            Self::Box(named) => write!(f, "box {}", named.name),
            Self::Disks(test) => f.write_str(test),
        }
    }
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<6} {:>6} seeds  ", self.mutant.name(), self.seeds)?;
        match (&self.kill, &self.shrunk) {
            (None, _) if !self.survived() => write!(f, "hunted in {}", self.ground)?,
            (None, _) => write!(f, "SURVIVED")?,
            (Some(Kill::Steps(found)), _) => {
                write!(f, "{}  ({} steps)", found.broken.law, found.events.len())?;
            }
            (Some(kill), None) => f.write_str(&kill.law())?,
            (Some(kill), Some(shrunk)) => write!(
                f,
                "{}  ({} steps, {} faults)",
                kill.law(),
                shrunk.report.steps,
                shrunk.report.marks.faults()
            )?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_a_ground() {
        for mutant in Mutant::ALL {
            let shown = ground(*mutant).to_string();
            assert!(!shown.is_empty(), "{mutant:?}");
        }
        assert!(matches!(ground(Mutant::R11), Ground::Box(_)));
    }
}
