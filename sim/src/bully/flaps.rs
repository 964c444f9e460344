//! How often the leader changes when the best candidate comes and goes.

use std::time::Duration;

use protocol::NodeId;
use protocol::bully::{Damped, Electors, Mode, Preemption, Safety};

use super::classic::{MS, run, stage};
use super::laws::Broken;

/// What decides whether the best one leads again when it is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The classic mode: it bullies.
    Classic,
    /// A majority grants each term of office, and whoever leads yields at once.
    Eager,
    /// Whoever leads goes on.
    Never,
    /// Whoever leads yields when the best one is steady and changes are rare.
    Damped,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Classic, Self::Eager, Self::Never, Self::Damped];
    /// How long after a change a damped leader yields, at least.
    pub const HOLD_DOWN: Duration = Duration::from_secs(60);

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Eager => "eager",
            Self::Never => "never",
            Self::Damped => "damped",
        }
    }

    fn mode(self, candidates: usize) -> Mode {
        let preemption = match self {
            Self::Classic => return Mode::Classic,
            Self::Eager => Preemption::Eager,
            Self::Never => Preemption::Never,
            Self::Damped => Preemption::Damped(Damped {
                stable: Duration::from_secs(5),
                hold_down: Self::HOLD_DOWN,
                half_life: Duration::from_secs(300),
                suppress: 4,
            }),
        };
        let all = (1..=candidates as u64).map(NodeId).collect();
        Mode::Safe(Safety {
            electors: Electors::Named(all),
            lease: 1_000 * MS,
            renew: 200 * MS,
            drift_ppm: 1_000,
            preemption,
        })
    }
}

/// Changes of leaders while the best of so many candidates is up and down by turns, `cycles` times
/// each, after all had settled on it.
///
/// # Errors
/// The first law that was broken.
pub fn changes(
    policy: Policy,
    candidates: usize,
    turn: Duration,
    cycles: usize,
) -> Result<usize, Broken> {
    let mut stage = stage(1, candidates, &policy.mode(candidates));
    let best = candidates - 1;
    for who in 0..candidates {
        stage.start(who)?;
    }
    run(&mut stage, Duration::from_secs(10))?;
    stage.counts.elected = vec![best];
    for _ in 0..cycles {
        stage.crash(best);
        run(&mut stage, turn)?;
        stage.start(best)?;
        run(&mut stage, turn)?;
    }
    let elected = &stage.counts.elected;
    Ok(elected.windows(2).filter(|pair| pair[0] != pair[1]).count())
}
