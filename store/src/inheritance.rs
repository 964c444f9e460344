//! What a new cluster takes over from the state of another one: from a backup, or from a survivor.
//!
//! Records stay as they are, with their revisions, so that nobody who kept one is misled. Of the
//! metadata:
//!
//! - the numbers of the store stay, but for those that are to be changed ([`Bump`]);
//! - leases stay, and each lives its whole granted time again: while there was no cluster nobody
//!   could renew any;
//! - alarms go: what they warn of was about other disks;
//! - the members go, what they told of themselves, who was removed and what other members were
//!   wished: the new cluster has members of its own;
//! - sessions go: a client that had one is told so, and cannot take the new cluster for the old
//!   one. Where a survivor's state goes on ([`succeed`]) they stay, and so a write that a client
//!   repeats is not done twice;
//! - records of recoveries stay: they tell what this data has come through;
//! - the new state has come as a whole at the position given, so that an empty log begins after it.
//!
//! Laws:
//!
//! - it is a function of its arguments: members that inherit the same state are equal;
//! - no revision that anybody can have seen in the other cluster is given to another change in the
//!   new one, if the bump is at least as large as what was written after the backup.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::Position;
use protocol::raft::Membership;

use crate::meta::{
    Gap, Kept, decode, encode_fresh_lease, encode_gap, encode_membership, encode_state, installed,
};
use crate::{LeaseId, RestoreError};

/// How the revisions of a new cluster go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bump {
    /// The revision grows by this much; not negative. What was written after the backup is not in
    /// it, and its revisions must not mean something else to those who saw it.
    pub by: i64,
    /// All history before the revision is compacted, so that whoever watches from an older one is
    /// told to begin anew.
    pub mark_compacted: bool,
}

/// The metadata of a new cluster that begins with the state this metadata belongs to.
///
/// # Errors
/// When a flush cannot have written this, and when the bump leaves no revisions to go on with
/// ([`RestoreError::Numbers`]).
pub fn inherit(
    meta: Vec<(Bytes, Bytes)>,
    applied: Position,
    bump: Bump,
) -> Result<Vec<(Bytes, Bytes)>, RestoreError> {
    pass_on(meta, applied, bump, None)
}

/// The same for the cluster that goes on with what a survivor has: its members are these, and
/// sessions stay.
///
/// # Errors
/// As [`inherit`].
pub fn succeed(
    meta: Vec<(Bytes, Bytes)>,
    applied: Position,
    bump: Bump,
    members: &Membership,
) -> Result<Vec<(Bytes, Bytes)>, RestoreError> {
    pass_on(meta, applied, bump, Some(members))
}

fn pass_on(
    meta: Vec<(Bytes, Bytes)>,
    applied: Position,
    bump: Bump,
    successors: Option<&Membership>,
) -> Result<Vec<(Bytes, Bytes)>, RestoreError> {
    let (mut state, mut gap) = (None, None);
    let mut kept: Vec<(Bytes, Bytes)> = Vec::new();
    let mut leases: Vec<(LeaseId, i64)> = Vec::new();
    for (name, value) in meta {
        match decode(&name, value.clone()).map_err(RestoreError::Meta)? {
            Kept::State(kept) => state = Some(kept),
            // What must not be served is no beginning either.
            Kept::Condemned(at) => return Err(RestoreError::Differs(at)),
            Kept::Bumped(kept) => gap = Some(kept),
            Kept::Lease { id, ttl, .. } => leases.push((id, ttl)),
            Kept::Recovery(..) => kept.push((name, value)),
            Kept::Session(..) if successors.is_some() => kept.push((name, value)),
            Kept::Alarm(..)
            | Kept::Short(_)
            | Kept::Member(_)
            | Kept::Membership(_)
            | Kept::Removed(_)
            | Kept::Queue(_)
            | Kept::Session(..)
            | Kept::Installed(_) => {}
        }
    }
    let mut state = state.ok_or(RestoreError::NoState)?;
    // Of a cluster that has written since, an earlier bump is over.
    let gap: Option<Gap> = gap.filter(|gap| gap.to == state.revision);
    let from = gap.map_or(state.revision, |gap| gap.from);
    let to = state.revision.checked_add(bump.by).filter(|to| bump.by >= 0 && *to < i64::MAX / 2);
    state.revision = to.ok_or(RestoreError::Numbers)?;
    state.applied = applied;
    if bump.mark_compacted {
        state.compact_revision = state.revision;
    }
    let (name, value) = encode_state(&state);
    let mut meta = Vec::from([(name, value.expect("invariant: the numbers have a value"))]);
    if from < state.revision {
        meta.push(encode_gap(Gap { from, to: state.revision }));
    }
    meta.extend(leases.into_iter().map(|(id, ttl)| encode_fresh_lease(id, ttl)));
    meta.extend(kept);
    meta.extend(successors.map(encode_membership));
    Ok(installed(meta, applied))
}
