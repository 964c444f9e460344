//! Hunting planted bugs: how many seeds it takes until a check notices one.
//!
//! A bug that no seed of a campaign brings to light is a blind spot of the simulator. Only with the
//! feature `mutants` is there anything to hunt.

use std::fmt;
use std::ops::Range;

use protocol::mutant::{self, Mutant};

use crate::case::Case;
use crate::shrink::{self, Shrunk};
use crate::storm::Kind;
use crate::sweep::{Failure, Sweep, sweep};

/// What became of a hunt.
pub struct Hunt {
    /// What was planted.
    pub mutant: Mutant,
    /// Worlds that were run until one failed.
    pub seeds: u64,
    /// The first that failed; `None`: it survived.
    pub kill: Option<Failure>,
    /// The least case that still fails, when one was looked for.
    pub shrunk: Option<Shrunk>,
}

/// Plants a bug and runs these seeds until one fails; then shrinks it, trying at most `shrink`
/// worlds. One hunt at a time in a process: the bug is planted for all of it.
pub fn hunt(mutant: Mutant, seeds: Range<u64>, threads: usize, shrink: u32) -> Hunt {
    mutant::plant(Some(mutant));
    let first = seeds.start;
    let ground = ground(mutant);
    let plan = Sweep { seeds, ground, threads, twice_every: 0, fail_fast: true };
    let tally = sweep(&plan, &mut |_| true);
    let kill = tally.failures.into_iter().next();
    let shrunk = kill
        .as_ref()
        .filter(|_| shrink > 0)
        .and_then(|kill| shrink::shrink(&kill.case, shrink, &mut |_, _| {}));
    mutant::plant(None);
    // How many ran beside it is an affair of threads.
    let seeds = kill.as_ref().map_or(tally.seeds, |kill| kill.case.seed - first + 1);
    Hunt { mutant, seeds, kill, shrunk }
}

/// Where a bug that shows rarely shows more often: worlds with what it takes, and little else.
/// Most bugs need none.
fn ground(mutant: Mutant) -> Case {
    let whole = Case::default();
    let kinds = |kinds: &[Kind]| Case { kinds: Some(kinds.to_vec()), ..Case::default() };
    match mutant {
        Mutant::R11 => kinds(&[Kind::Replay, Kind::Replay, Kind::PauseLeader, Kind::IsolateLeader]),
        Mutant::R13 => Case {
            unguarded: true,
            ..kinds(&[Kind::IsolateLeader, Kind::Split, Kind::DeafLeader, Kind::PauseLeader])
        },
        Mutant::R16 => Case {
            lease: Some(500),
            ..kinds(&[Kind::Drift, Kind::IsolateLeader, Kind::DeafLeader, Kind::Split])
        },
        Mutant::R25 => kinds(&[Kind::HeadRot, Kind::Kill, Kind::KillLeader]),
        Mutant::W1 | Mutant::W2 => kinds(&[Kind::LogRot, Kind::IsolateLeader, Kind::KillLeader]),
        _ => whole,
    }
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<4} {:>6} seeds  ", self.mutant.name(), self.seeds)?;
        match (&self.kill, &self.shrunk) {
            (None, _) => write!(f, "SURVIVED")?,
            (Some(kill), None) => write!(f, "{}", kill.violation.law)?,
            (Some(kill), Some(shrunk)) => write!(
                f,
                "{}  ({} steps, {} faults)",
                kill.violation.law,
                shrunk.report.steps,
                shrunk.report.marks.faults()
            )?,
        }
        Ok(())
    }
}
