//! What candidates say to each other.
//!
//! ```text
//! classic   Election ──▶ higher     Alive ◀── higher     Victory ──▶ lower
//!
//! safe      Ask ──▶ members         Answer ◀── each      would it grant, will it stand itself?
//!           Claim ──▶ members       Grant ◀── each       durable; or Refuse
//!           Renew ──▶ everybody     Ack ◀── members      victory, and each renewal; or Refuse
//!           Release ──▶ members                          the lease ends before its time
//! ```

use core::fmt;
use core::time::Duration;

use super::ballot::Epoch;
use super::electorate::Electorate;
use super::rank::Rank;
use crate::{NodeId, Time};

/// A message. Any may be lost, delayed or doubled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The electorate that its sender goes by; `None` in the classic mode. The two modes do not
    /// hear each other.
    pub electorate: Option<Electorate>,
    /// The sender's rank.
    pub rank: Rank,
    /// What it says.
    pub body: Body,
}

/// What a leader, or who wants to be one, asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The epoch.
    pub epoch: Epoch,
    /// When it was sent, by the sender's clock. The answer repeats it: no table is needed to know
    /// which of several requests was answered, and none can be taken for another.
    pub sent: Time,
    /// How long the receiver is to grant nobody else anything.
    pub lease: Duration,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Is anybody better there?
    Election,
    /// Yes: leave it to the sender.
    Alive,
    /// The sender leads.
    Victory,
    /// Would you grant a claim now?
    Ask,
    /// The answer to `Ask`.
    Answer {
        /// Whether it would.
        free: bool,
        /// Whether the sender would stand itself.
        stands: bool,
        /// The highest epoch that it knows of.
        seen: Epoch,
    },
    /// Grant the sender this epoch.
    Claim(Terms),
    /// Granted, durably.
    Grant {
        /// The epoch.
        epoch: Epoch,
        /// As in the claim.
        sent: Time,
    },
    /// Not granted, or no longer followed.
    Refuse {
        /// The epoch that was claimed, or renewed.
        epoch: Epoch,
        /// The highest epoch that the sender has granted.
        ballot: Epoch,
    },
    /// The sender leads; go on granting nobody else anything.
    Renew(Terms),
    /// Promised.
    Ack {
        /// The epoch.
        epoch: Epoch,
        /// As in the renewal.
        sent: Time,
        /// How long the sender has been up, with a program that wants to lead.
        up: Duration,
        /// Whether it has one: nobody yields to a member that would not stand.
        stands: bool,
    },
    /// The sender does not use this epoch any more.
    Release {
        /// The epoch.
        epoch: Epoch,
        /// Who should stand first.
        successor: Option<NodeId>,
    },
}

impl Body {
    /// Its name, for counts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Election => "Election",
            Self::Alive => "Alive",
            Self::Victory => "Victory",
            Self::Ask => "Ask",
            Self::Answer { .. } => "Answer",
            Self::Claim(_) => "Claim",
            Self::Grant { .. } => "Grant",
            Self::Refuse { .. } => "Refuse",
            Self::Renew(_) => "Renew",
            Self::Ack { .. } => "Ack",
            Self::Release { .. } => "Release",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.body.kind())?;
        match self.body {
            Body::Election | Body::Alive | Body::Victory | Body::Ask => {}
            Body::Answer { free, stands, seen } => {
                write!(f, " free={free} stands={stands} seen={seen}")?;
            }
            Body::Claim(terms) | Body::Renew(terms) => {
                write!(f, " e{} at={:?}", terms.epoch, terms.sent)?;
            }
            Body::Grant { epoch, sent } | Body::Ack { epoch, sent, .. } => {
                write!(f, " e{epoch} at={sent:?}")?;
            }
            Body::Refuse { epoch, ballot } => write!(f, " e{epoch} ballot={ballot}")?,
            Body::Release { epoch, successor } => write!(f, " e{epoch} to={successor:?}")?,
        }
        write!(f, " rank={}", self.rank)
    }
}
