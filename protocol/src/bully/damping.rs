//! Damping: a better candidate that comes and goes is left waiting, the longer the more it does.
//!
//! The rule is that of damping flapping routes: each change of leaders adds one to a penalty, which
//! halves in a half-life. A leader yields to a better candidate only when that one has been there
//! for a while, and when the last change is as long ago as a hold-down that doubles with each whole
//! point of penalty; and not at all while the penalty has reached a limit, until it is down to half
//! of that. So in a time X with a hold-down D there are at most X/D changes by pre-emption.
//!
//! Every member counts the changes that it sees, since any of them may lead next. A member that
//! starts again has forgotten them; it is not the one that decides on its own coming back.

use core::time::Duration;

use crate::{NodeId, Time};

/// One change, in the units of a penalty.
const CHANGE: u64 = 1_000;
/// What a penalty never passes: in ten half-lives it is down to one change.
const LIMIT: u64 = 1_000 * CHANGE;
/// Hold-downs double at most so often.
const DOUBLINGS: u64 = 10;

/// When a leader yields to a better candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Preemption {
    /// As soon as there is one.
    Eager,
    /// Never: whoever leads goes on.
    #[default]
    Never,
    /// When it has proved to be steady.
    Damped(Damped),
}

/// How much it takes to be steady.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Damped {
    /// How long the candidate has to have been there.
    pub stable: Duration,
    /// How long ago the last change has to be, at least.
    pub hold_down: Duration,
    /// In which time a penalty halves.
    pub half_life: Duration,
    /// The penalty, in changes, at which nobody is yielded to any more.
    pub suppress: u32,
}

/// What a member has seen of changes. Laws:
///
/// - the penalty is that of `at`, and at most [`LIMIT`];
/// - the first leader that is seen is no change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Damping {
    last: Option<NodeId>,
    changed: Option<Time>,
    penalty: u64,
    at: Time,
    suppressed: bool,
}

impl Damping {
    /// Somebody leads.
    pub(super) fn leads(&mut self, now: Time, who: NodeId, preemption: Preemption) {
        if self.last.replace(who).is_some_and(|last| last != who) {
            self.changed = Some(now);
            if let Preemption::Damped(damped) = preemption {
                self.decay(now, damped);
                self.penalty = (self.penalty + CHANGE).min(LIMIT);
                self.suppressed |= self.penalty >= u64::from(damped.suppress) * CHANGE;
            }
        }
    }

    /// Whether to yield now to a better one that has been there for so long.
    pub(super) fn yields(&mut self, now: Time, steady: Duration, preemption: Preemption) -> bool {
        let damped = match preemption {
            Preemption::Eager => return true,
            Preemption::Never => return false,
            Preemption::Damped(damped) => damped,
        };
        self.decay(now, damped);
        let doublings = (self.penalty / CHANGE).min(DOUBLINGS);
        let hold_down = damped.hold_down.saturating_mul(1 << doublings);
        let held = self.changed.is_some_and(|changed| now - changed < hold_down);
        steady >= damped.stable && !held && !self.suppressed
    }

    /// The penalty as of the last change or question, in thousandths of a change.
    pub(super) const fn penalty(&self) -> u64 {
        self.penalty
    }

    fn decay(&mut self, now: Time, damped: Damped) {
        self.penalty = decayed(self.penalty, now - self.at, damped.half_life);
        self.at = now;
        self.suppressed &= self.penalty >= u64::from(damped.suppress) * CHANGE / 2;
    }
}

/// What is left of a penalty: half of it for each half-life, and between two of them a straight
/// line, which is never below the curve and at most 6.2 % above it.
fn decayed(penalty: u64, elapsed: Duration, half_life: Duration) -> u64 {
    let half_life = half_life.as_nanos().max(1);
    let halvings = u32::try_from(elapsed.as_nanos() / half_life).unwrap_or(u32::MAX);
    let whole = u128::from(penalty.checked_shr(halvings).unwrap_or(0));
    let part = whole * (elapsed.as_nanos() % half_life) / (2 * half_life);
    u64::try_from(whole - part).unwrap_or(penalty)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_penalty_halves_in_a_half_life_and_falls_in_between() {
        assert_eq!(decayed(1_000, 10 * SECOND, 10 * SECOND), 500);
        assert_eq!(decayed(1_000, 5 * SECOND, 10 * SECOND), 750);
        assert_eq!(decayed(1_000, 15 * SECOND, 10 * SECOND), 375);
        assert_eq!(decayed(LIMIT, 700 * SECOND, 10 * SECOND), 0);
        let mut before = LIMIT;
        for seconds in 0..200 {
            let now = decayed(LIMIT, SECOND * seconds, 10 * SECOND);
            assert!(now <= before, "a penalty only falls");
            before = now;
        }
    }

    #[test]
    fn hold_downs_double_and_a_penalty_at_the_limit_suppresses() {
        let damped = Damped {
            stable: SECOND,
            hold_down: 10 * SECOND,
            half_life: 3_600 * SECOND,
            suppress: 3,
        };
        let policy = Preemption::Damped(damped);
        let mut damping = Damping::default();
        let at = |seconds: u64| Time(seconds * 1_000_000_000);
        damping.leads(at(0), NodeId(1), policy);
        assert!(damping.yields(at(0), SECOND, policy), "the first leader is no change");
        assert!(!damping.yields(at(0), SECOND / 2, policy), "it has not been there for long");
        damping.leads(at(100), NodeId(2), policy);
        assert!(!damping.yields(at(109), SECOND, policy));
        // A little less than one change is left of the penalty.
        assert!(damping.yields(at(111), SECOND, policy));
        damping.leads(at(120), NodeId(1), policy);
        assert!(!damping.yields(at(139), SECOND, policy));
        assert!(damping.yields(at(141), SECOND, policy));
        damping.leads(at(150), NodeId(2), policy);
        damping.leads(at(160), NodeId(1), policy);
        assert!(!damping.yields(at(3_000), SECOND, policy), "suppressed");
        assert!(damping.yields(at(6_000), SECOND, policy), "it was forgotten in the end");
        assert!(damping.yields(at(161), SECOND, Preemption::Eager));
        assert!(!damping.yields(at(9_000), SECOND, Preemption::Never));
    }
}
