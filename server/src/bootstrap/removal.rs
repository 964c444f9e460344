//! Members that have been gone for long are removed, by the leader, one at a time.
//!
//! Laws:
//!
//! - only who was in the pool, has failed there or left, and has not been back for the whole time
//!   is removed; who never was in the pool is not;
//! - the leader has not heard of it lately, either;
//! - of the voters that stay, a majority answers the leader now, and the leader is one of them;
//! - the voters do not get fewer than found a group: whoever takes the place of the dead has to be
//!   there first.
//!
//! The time is counted by the process that removes: a restart of a server begins it anew, and
//! every server counts, so that a new leader goes on where the old one was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use node::{Body, Request};
use protocol::NodeId;
use protocol::raft::{Role, Status};
use protocol::swim::message::Name;
use store::MemberChange;
use tokio::time::Instant;

use crate::gossip::Standing;
use crate::runtime::NodeHandle;

/// How many voters stay at least, when no number founds the group.
const LEAST: usize = 3;

/// What removes members.
#[derive(Debug)]
pub(crate) struct Removal {
    handle: NodeHandle,
    after: Duration,
    least: usize,
    /// Since when each has been gone, and its name.
    gone: BTreeMap<NodeId, (Instant, Name)>,
}

/// What a leader knows of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    own: u64,
    voters: BTreeSet<NodeId>,
    learners: BTreeSet<NodeId>,
    /// Those that answer the leader, and the leader.
    active: BTreeSet<NodeId>,
}

impl Removal {
    /// Removes who is gone for `after`; `expect` is how many found a group.
    pub(crate) fn new(handle: NodeHandle, after: Duration, expect: Option<usize>) -> Self {
        Self { handle, after, least: expect.unwrap_or(LEAST), gone: BTreeMap::new() }
    }

    pub(super) fn after(&self) -> Duration {
        self.after
    }

    /// Takes in how servers are, by their ids, and removes one that has to go.
    pub(super) async fn look(&mut self, servers: &BTreeMap<NodeId, (Name, Standing)>) {
        let now = Instant::now();
        for (id, (name, standing)) in servers {
            match standing {
                Standing::Alive | Standing::Suspect => {
                    self.gone.remove(id);
                }
                Standing::Failed | Standing::Left => {
                    self.gone.entry(*id).or_insert_with(|| (now, name.clone()));
                }
            }
        }
        let due = |(id, (since, _)): (&NodeId, &(Instant, Name))| {
            (now.duration_since(*since) >= self.after).then_some((*since, *id))
        };
        let due: BTreeSet<(Instant, NodeId)> = self.gone.iter().filter_map(due).collect();
        if due.is_empty() {
            return;
        }
        let Ok(Body::Status(status)) = self.handle.call(Request::Status).await.body else { return };
        let Some(group) = Group::led_by(&status.raft) else { return };
        self.gone.retain(|id, _| group.voters.contains(id) || group.learners.contains(id));
        let longest_first = due.into_iter().map(|(_, id)| id);
        if let Some(id) = group.to_go(longest_first, self.least) {
            self.remove(id).await;
        }
    }

    async fn remove(&mut self, id: NodeId) {
        let name = self.gone.get(&id).map_or_else(|| id.to_string(), |(_, name)| name.to_string());
        let after = self.after;
        tracing::warn!(
            "{name} ({id}) has been gone for {after:?}: it is removed from the cluster \
             (--dead-server-after). To have it back, empty its data directory and start it: it is \
             then taken in as a new member"
        );
        let change = Request::MemberChange(MemberChange::Remove { id });
        match self.handle.call(change).await.body {
            Ok(_) => {
                tracing::warn!("{name} ({id}) is removed");
                self.gone.remove(&id);
            }
            Err(failure) => {
                tracing::warn!(?failure, "{name} ({id}) is not removed yet; trying again");
            }
        }
    }
}

impl Group {
    /// The group, as its leader sees it; `None` when this is not the leader, or the members are
    /// being changed.
    fn led_by(status: &Status) -> Option<Self> {
        let membership = &status.membership;
        if status.role != Role::Leader || !membership.outgoing.is_empty() {
            return None;
        }
        let peers = status.peers.iter().filter(|(_, peer)| peer.active).map(|(id, _)| *id);
        Some(Self {
            own: status.id.0,
            voters: membership.voters.clone(),
            learners: membership.learners.clone(),
            active: peers.chain(std::iter::once(status.id)).collect(),
        })
    }

    /// The first of these that may be removed.
    fn to_go(&self, mut gone: impl Iterator<Item = NodeId>, least: usize) -> Option<NodeId> {
        gone.find(|id| {
            let is_silent = id.0 != self.own && !self.active.contains(id);
            let stay = || self.voters.iter().filter(|voter| *voter != id);
            let answer = stay().filter(|voter| self.active.contains(voter)).count();
            let is_safe = stay().count() >= least && answer > stay().count() / 2;
            is_silent && (self.learners.contains(id) || (self.voters.contains(id) && is_safe))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u64]) -> BTreeSet<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    fn gone(voters: &[u64], learners: &[u64], active: &[u64], gone: &[u64]) -> Option<u64> {
        let group =
            Group { own: 1, voters: ids(voters), learners: ids(learners), active: ids(active) };
        group.to_go(gone.iter().copied().map(NodeId), 3).map(|id| id.0)
    }

    #[test]
    fn the_dead_go_one_at_a_time_while_enough_stay() {
        assert_eq!(gone(&[1, 2, 3, 4, 5], &[], &[1, 2, 3], &[5, 4]), Some(5));
        assert_eq!(gone(&[1, 2, 3, 4], &[], &[1, 2, 3], &[4]), Some(4));
        // Three are as few as found a group.
        assert_eq!(gone(&[1, 2, 3], &[], &[1, 2], &[3]), None);
        // Whoever answers is not gone, whatever the pool believes; nor is the leader itself.
        assert_eq!(gone(&[1, 2, 3, 4], &[], &[1, 2, 3, 4], &[4, 1]), None);
        // Of the four that would stay, two answer.
        assert_eq!(gone(&[1, 2, 3, 4, 5], &[], &[1, 2], &[5]), None);
    }

    #[test]
    fn a_learner_is_no_part_of_any_majority() {
        assert_eq!(gone(&[1, 2, 3], &[4], &[1, 2, 3], &[4]), Some(4));
        assert_eq!(gone(&[1, 2, 3], &[], &[1, 2, 3], &[9]), None);
    }
}
