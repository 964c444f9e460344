//! Who takes part, as an entry of the log says it.
//!
//! ```text
//! version u8 = 1 | voters | outgoing | learners | context: length u32, bytes
//! each list: length u32, then ids u64, ascending
//! ```
//!
//! Numbers are little-endian. The context is the driver's: what it has to know of the members, such
//! as their addresses, travels with them and takes effect with them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};

use crate::NodeId;
use crate::quorum::Voters;

const VERSION: u8 = 1;

/// A configuration: who votes, who only listens.
///
/// - Some node votes.
/// - While it is *joint* (Raft §6), decisions need a majority of `voters` and one of `outgoing`.
/// - A learner is not among `voters`; a voter on its way to being one is among `outgoing`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    /// Those whose votes count, and will count.
    pub voters: BTreeSet<NodeId>,
    /// Those whose votes counted before and count until the change is complete; empty outside one.
    pub outgoing: BTreeSet<NodeId>,
    /// Those that receive the log and do not count.
    pub learners: BTreeSet<NodeId>,
    /// The driver's own; opaque here.
    pub context: Bytes,
}

/// Bytes that are no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipError {
    /// They end too early, or go on.
    Length,
    /// Written by a version of the format that is not known here.
    Version(u8),
    /// No cluster could work with it.
    Absurd,
}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("a configuration of the wrong length"),
            Self::Version(version) => {
                write!(f, "a configuration in format version {version}, which is unknown")
            }
            Self::Absurd => f.write_str("a configuration that no cluster could work with"),
        }
    }
}

impl core::error::Error for MembershipError {}

impl Membership {
    /// These voters, nobody else.
    #[must_use]
    pub fn of(voters: impl IntoIterator<Item = NodeId>) -> Self {
        Self { voters: voters.into_iter().collect(), ..Self::default() }
    }

    /// Whether a change of the voters is under way.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Everyone who takes part, ascending, once each.
    #[must_use]
    pub fn members(&self) -> BTreeSet<NodeId> {
        self.voters.iter().chain(&self.outgoing).chain(&self.learners).copied().collect()
    }

    /// Whether this node takes part.
    #[must_use]
    pub fn contains(&self, id: NodeId) -> bool {
        self.votes(id) || self.learners.contains(&id)
    }

    /// Whether this node's vote counts.
    #[must_use]
    pub fn votes(&self, id: NodeId) -> bool {
        self.voters.contains(&id) || self.outgoing.contains(&id)
    }

    /// The majorities that it asks for.
    pub(super) fn quorum(&self) -> Voters {
        Voters::joint(self.voters.clone(), self.outgoing.clone())
    }

    /// The configuration that leads to `target`: itself when old and new majorities always share a
    /// node (at most one voter differs, thesis §4.1), else the joint one (Raft §6).
    pub(super) fn toward(&self, target: Self) -> Self {
        if self.voters.symmetric_difference(&target.voters).count() <= 1 {
            return target;
        }
        Self { outgoing: self.voters.clone(), ..target }
    }

    /// What remains when a joint configuration has done its work.
    pub(super) fn settled(&self) -> Self {
        Self { outgoing: BTreeSet::new(), ..self.clone() }
    }

    /// Whether a cluster could work with it.
    #[must_use]
    pub fn is_sane(&self) -> bool {
        !self.voters.is_empty() && self.voters.is_disjoint(&self.learners)
    }

    /// Its bytes.
    ///
    /// # Panics
    /// With 4 Gi members or bytes of context.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let length = |length: usize| {
            u32::try_from(length).expect("invariant: configurations are small").to_le_bytes()
        };
        let mut out = Vec::from([VERSION]);
        for list in [&self.voters, &self.outgoing, &self.learners] {
            out.extend(length(list.len()));
            list.iter().for_each(|id| out.extend(id.0.to_le_bytes()));
        }
        out.extend(length(self.context.len()));
        out.extend_from_slice(&self.context);
        out.into()
    }

    /// The configuration that these bytes are.
    ///
    /// # Errors
    /// Whatever [`Membership::encode`] does not write, and what [`Membership::is_sane`] refuses.
    pub fn decode(bytes: &Bytes) -> Result<Self, MembershipError> {
        let mut bytes = bytes.clone();
        match bytes.try_get_u8().map_err(|_| MembershipError::Length)? {
            VERSION => {}
            other => return Err(MembershipError::Version(other)),
        }
        let decoded = Self {
            voters: list(&mut bytes)?,
            outgoing: list(&mut bytes)?,
            learners: list(&mut bytes)?,
            context: {
                let length = length(&mut bytes)?;
                if bytes.len() != length {
                    return Err(MembershipError::Length);
                }
                bytes
            },
        };
        if decoded.is_sane() { Ok(decoded) } else { Err(MembershipError::Absurd) }
    }
}

fn length(bytes: &mut Bytes) -> Result<usize, MembershipError> {
    let length = bytes.try_get_u32_le().map_err(|_| MembershipError::Length)?;
    usize::try_from(length).map_err(|_| MembershipError::Length)
}

fn list(bytes: &mut Bytes) -> Result<BTreeSet<NodeId>, MembershipError> {
    let length = length(bytes)?;
    let mut ids = BTreeSet::new();
    for _ in 0..length {
        let id = NodeId(bytes.try_get_u64_le().map_err(|_| MembershipError::Length)?);
        if ids.last().is_some_and(|&last| last >= id) {
            return Err(MembershipError::Absurd);
        }
        ids.insert(id);
    }
    Ok(ids)
}
