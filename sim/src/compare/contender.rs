//! Who takes part.

use std::time::Duration;

use protocol::bully::{Damped, Preemption};
use serde::Serialize;

use super::bully::Candidate;
use super::member::Member;
use super::raft::Voter;
use super::settings::Settings;
use super::zab::Peer;
use crate::lab::cluster::Guards;

/// Who takes part. Each is the product's core; they differ in settings that users have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// Raft as in the paper, without any protection against needless elections.
    Raft,
    /// Raft as this product runs it: pre-vote, check of the quorum, stickiness.
    PreVote,
    /// Zab, with its fast leader election.
    Zab,
    /// Bully as textbooks tell it.
    Classic,
    /// Bully's safe mode as this product runs it: whoever leads goes on.
    Safe,
    /// Bully's safe mode, in which a leader yields to a better one at once.
    Eager,
    /// Bully's safe mode, in which a leader yields to a better one that has been steady.
    Damped,
}

impl Contender {
    /// One of each kind.
    pub const FIVE: [Self; 5] = [Self::Raft, Self::PreVote, Self::Zab, Self::Classic, Self::Safe];
    /// Those whose leaders change differently when the best one comes and goes.
    pub const ALL: [Self; 7] = [
        Self::Raft,
        Self::PreVote,
        Self::Zab,
        Self::Classic,
        Self::Eager,
        Self::Safe,
        Self::Damped,
    ];
    /// How long after a change a damped leader yields, at least.
    pub const HOLD_DOWN: Duration = Duration::from_secs(60);

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raft => "Raft",
            Self::PreVote => "Raft, pre-vote",
            Self::Zab => "Zab",
            Self::Classic => "Bully, classic",
            Self::Safe => "Bully, safe",
            Self::Eager => "Bully, eager",
            Self::Damped => "Bully, damped",
        }
    }

    /// What has to survive a crash for its elections.
    #[must_use]
    pub const fn state(self) -> &'static str {
        match self {
            Self::Raft | Self::PreVote => "term, vote, log",
            Self::Zab => "accepted and current epoch, log",
            Self::Classic => "nothing",
            Self::Safe | Self::Eager | Self::Damped => "ballot, electorate",
        }
    }

    /// Whether it hears of others by gossip.
    pub(super) const fn gossips(self) -> bool {
        matches!(self, Self::Classic | Self::Safe | Self::Eager | Self::Damped)
    }

    /// Whether a leader acts only through a majority, each time.
    pub(super) const fn acts_by_majority(self) -> bool {
        matches!(self, Self::Raft | Self::PreVote | Self::Zab)
    }

    pub(super) fn member(self, place: usize, nodes: usize, settings: &Settings) -> Member {
        match self {
            Self::Raft => raft(place, nodes, settings, Guards::OFF),
            Self::PreVote => raft(place, nodes, settings, Guards::ON),
            Self::Zab => Member::Zab(Box::new(Peer::new(place, nodes, settings))),
            Self::Classic => bully(place, nodes, settings, None),
            Self::Safe => bully(place, nodes, settings, Some(Preemption::Never)),
            Self::Eager => bully(place, nodes, settings, Some(Preemption::Eager)),
            Self::Damped => {
                let damped = Damped {
                    stable: Duration::from_secs(5),
                    hold_down: Self::HOLD_DOWN,
                    half_life: Duration::from_secs(300),
                    suppress: 4,
                };
                bully(place, nodes, settings, Some(Preemption::Damped(damped)))
            }
        }
    }
}

fn raft(place: usize, nodes: usize, settings: &Settings, guards: Guards) -> Member {
    Member::Raft(Box::new(Voter::new(place, nodes, settings, guards)))
}

fn bully(place: usize, nodes: usize, settings: &Settings, safe: Option<Preemption>) -> Member {
    Member::Bully(Box::new(Candidate::new(place, nodes, settings, safe)))
}
