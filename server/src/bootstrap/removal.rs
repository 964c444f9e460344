//! Members that have been gone for long are removed, by the leader, one at a time.
//!
//! Laws:
//!
//! - only who was in the pool, has failed there or left, and has not been back for the whole time
//!   is removed; who never was in the pool is not;
//! - the leader has not heard it for the whole time, either: whom only gossip has lost is not gone;
//! - of the voters that stay, a majority answers the leader now, and the leader is one of them;
//! - the voters do not get fewer than found a group: whoever takes the place of the dead has to be
//!   there first.
//!
//! The time is counted by the leader that removes, since it leads: a restart and a change of
//! leaders begin it anew. Rather late than somebody who is there. Whom the pool has forgotten by
//! the time that all servers have been started again is not removed at all: that is for an
//! operator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use node::{Body, Request};
use protocol::NodeId;
use protocol::raft::{Role, Status};
use protocol::swim::message::Name;
use store::MemberChange;
use tokio::time::Instant;

use crate::config::{Config, Consensus};
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
    elastic: bool,
    watch: Watch,
}

/// Since when members have been gone.
#[derive(Debug, Default)]
struct Watch {
    /// From the pool, and the name there.
    gone: BTreeMap<NodeId, (Instant, Name)>,
    /// From the leader's links, while this server leads.
    silent: BTreeMap<NodeId, Instant>,
}

/// What a leader knows of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    own: u64,
    voters: BTreeSet<NodeId>,
    learners: BTreeSet<NodeId>,
    /// Those that answer the leader, and the leader.
    active: BTreeSet<NodeId>,
    /// Those that could not have answered it yet.
    awaited: BTreeSet<NodeId>,
    /// The voters are being changed: meanwhile nobody is removed, and time goes on.
    changing: bool,
}

impl Removal {
    /// Removes who is gone for as long as `config` says, where members change at all.
    pub(crate) fn new(handle: NodeHandle, config: &Config) -> Self {
        let Config { dead_server_after: after, bootstrap_expect: expect, consensus, .. } = config;
        let least = expect.unwrap_or(LEAST);
        let watch = Watch::default();
        Self { handle, after: *after, least, elastic: *consensus == Consensus::Raft, watch }
    }

    pub(super) fn after(&self) -> Duration {
        self.after
    }

    /// Takes in how servers are, by their ids, and removes one that has to go.
    pub(super) async fn look(&mut self, servers: &BTreeMap<NodeId, (Name, Standing)>) {
        let now = Instant::now();
        self.watch.see(now, servers);
        if self.watch.gone.is_empty() || !self.elastic {
            return;
        }
        let status = self.handle.call(Request::Status).await.body;
        let Ok(Body::Status(status)) = status else { return };
        let group = Group::led_by(&status.core);
        if let Some(id) = self.watch.judge(now, group.as_ref(), self.after, self.least) {
            self.remove(id).await;
        }
    }

    async fn remove(&mut self, id: NodeId) {
        let name =
            self.watch.gone.get(&id).map_or_else(|| id.to_string(), |(_, name)| name.to_string());
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
                self.watch.gone.remove(&id);
            }
            Err(failure) => {
                tracing::warn!(?failure, "{name} ({id}) is not removed yet; trying again");
            }
        }
    }
}

impl Watch {
    /// How the pool sees servers.
    fn see(&mut self, now: Instant, servers: &BTreeMap<NodeId, (Name, Standing)>) {
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
    }

    /// Who is to be removed now, by the group that this server leads, if it leads one.
    fn judge(
        &mut self,
        now: Instant,
        led: Option<&Group>,
        after: Duration,
        least: usize,
    ) -> Option<NodeId> {
        let Some(group) = led else {
            self.silent.clear();
            return None;
        };
        self.hear(now, group);
        if group.changing {
            return None;
        }
        group.to_go(self.due(now, after).into_iter(), least)
    }

    /// How the leader, which is this server, sees its members.
    fn hear(&mut self, now: Instant, group: &Group) {
        let members: BTreeSet<NodeId> = group.voters.union(&group.learners).copied().collect();
        self.gone.retain(|id, _| members.contains(id));
        self.silent.retain(|id, _| members.contains(id));
        for id in members {
            if group.active.contains(&id) || group.awaited.contains(&id) {
                self.silent.remove(&id);
            } else {
                self.silent.entry(id).or_insert(now);
            }
        }
    }

    /// Who has been gone both ways for so long, the longest first.
    fn due(&self, now: Instant, after: Duration) -> Vec<NodeId> {
        let due = |(id, (gone, _)): (&NodeId, &(Instant, Name))| {
            let since = (*gone).max(*self.silent.get(id)?);
            (now.duration_since(since) >= after).then_some((since, *id))
        };
        let due: BTreeSet<(Instant, NodeId)> = self.gone.iter().filter_map(due).collect();
        due.into_iter().map(|(_, id)| id).collect()
    }
}

impl Group {
    /// The group, as its leader sees it; `None` when this is not the leader.
    fn led_by(status: &Status) -> Option<Self> {
        let membership = &status.membership;
        if status.role != Role::Leader {
            return None;
        }
        let peers = status.peers.iter().filter(|(_, peer)| peer.active).map(|(id, _)| *id);
        let awaited = status.peers.iter().filter(|(_, peer)| peer.awaited).map(|(id, _)| *id);
        Some(Self {
            own: status.id.0,
            voters: membership.voters.union(&membership.outgoing).copied().collect(),
            learners: membership.learners.clone(),
            active: peers.chain(std::iter::once(status.id)).collect(),
            awaited: awaited.collect(),
            changing: membership.is_joint(),
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

    fn group(voters: &[u64], learners: &[u64], active: &[u64]) -> Group {
        let (voters, learners, active) = (ids(voters), ids(learners), ids(active));
        Group { own: 1, voters, learners, active, ..Group::default() }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn fourth(standing: Standing) -> BTreeMap<NodeId, (Name, Standing)> {
        BTreeMap::from([(NodeId(4), (Name::from("n4"), standing))])
    }

    #[test]
    fn who_is_lost_to_gossip_alone_is_not_gone() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let (with, without) =
            (group(&[1, 2, 3, 4], &[], &[1, 2, 3, 4]), group(&[1, 2, 3, 4], &[], &[1, 2, 3]));
        for hour in 0..100 {
            watch.see(start + HOUR * hour, &fourth(Standing::Failed));
            watch.hear(start + HOUR * hour, &with);
        }
        // One short silence after a hundred hours, such as a restart.
        watch.hear(start + HOUR * 100, &without);
        assert_eq!(watch.due(start + HOUR * 101, HOUR * 72), []);
        assert_eq!(watch.due(start + HOUR * 172, HOUR * 72), [NodeId(4)]);
        watch.see(start + HOUR * 172, &fourth(Standing::Alive));
        assert_eq!(watch.due(start + HOUR * 172, HOUR * 72), []);
    }

    #[test]
    fn a_leader_counts_what_it_has_seen_itself() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        watch.see(start, &fourth(Standing::Left));
        assert_eq!(watch.due(start + HOUR * 100, HOUR), [], "it does not lead");
        let mut young = group(&[1, 2, 3, 4], &[], &[1, 2, 3]);
        young.awaited = ids(&[4]);
        watch.hear(start + HOUR * 100, &young);
        assert_eq!(watch.due(start + HOUR * 200, HOUR), [], "it may still answer");
        watch.hear(start + HOUR * 200, &group(&[1, 2, 3, 4], &[], &[1, 2, 3]));
        assert_eq!(watch.due(start + HOUR * 201, HOUR), [NodeId(4)]);
        watch.hear(start + HOUR * 201, &group(&[1, 2, 3], &[], &[1, 2, 3]));
        assert_eq!(watch.due(start + HOUR * 300, HOUR), [], "it is no member any more");
    }

    /// What a server sees in an hour: the pool, and the group, if it leads one.
    struct Hour {
        pool: Standing,
        led: Option<Group>,
    }

    /// In which hour the fourth server is removed, after 72.
    fn removed(hours: impl IntoIterator<Item = Hour>) -> Option<u32> {
        let (mut watch, start) = (Watch::default(), Instant::now());
        (0..).zip(hours).find_map(|(hour, Hour { pool, led })| {
            let now = start + HOUR * hour;
            watch.see(now, &fourth(pool));
            let goes = watch.judge(now, led.as_ref(), HOUR * 72, 3)?;
            assert_eq!(goes, NodeId(4));
            Some(hour)
        })
    }

    fn hours(count: usize, pool: Standing, led: Option<&Group>) -> impl Iterator<Item = Hour> {
        (0..count).map(move |_| Hour { pool, led: led.cloned() })
    }

    #[test]
    fn a_voter_that_lives_is_never_removed_and_a_dead_one_in_time() {
        let silent = group(&[1, 2, 3, 4], &[], &[1, 2, 3]);
        let heard = group(&[1, 2, 3, 4], &[], &[1, 2, 3, 4]);
        let year = 365 * 24;
        for pool in [Standing::Failed, Standing::Left] {
            assert_eq!(removed(hours(year, pool, Some(&silent))), Some(72), "{pool:?}");
            assert_eq!(removed(hours(year, pool, Some(&heard))), None, "the leader hears it");
            assert_eq!(removed(hours(year, pool, None)), None, "another one leads");
        }
        for pool in [Standing::Alive, Standing::Suspect] {
            assert_eq!(removed(hours(year, pool, Some(&silent))), None, "the pool hears it");
        }
        let mut young = silent.clone();
        young.awaited = ids(&[4]);
        assert_eq!(removed(hours(year, Standing::Failed, Some(&young))), None, "it may answer yet");
        // Gone again and again, and back for an hour before its time is over, either way.
        for back in [
            Hour { pool: Standing::Alive, led: Some(silent.clone()) },
            Hour { pool: Standing::Failed, led: Some(heard) },
        ] {
            let Hour { pool, led } = back;
            let lives = (0..100).flat_map(|_| {
                hours(72, Standing::Failed, Some(&silent)).chain(hours(1, pool, led.as_ref()))
            });
            assert_eq!(removed(lives), None, "{pool:?}");
        }
    }

    #[test]
    fn the_time_begins_anew_with_the_leader() {
        let silent = group(&[1, 2, 3, 4], &[], &[1, 2, 3]);
        let gone = |count, led| hours(count, Standing::Failed, led);
        // What it has seen of the pool before it led does not count, nor what it led before.
        assert_eq!(removed(gone(500, None).chain(gone(500, Some(&silent)))), Some(572));
        let lost_once =
            gone(72, Some(&silent)).chain(gone(1, None)).chain(gone(500, Some(&silent)));
        assert_eq!(removed(lost_once), Some(73 + 72));
        let turns = (0..100).flat_map(|_| gone(72, Some(&silent)).chain(gone(1, None)));
        assert_eq!(removed(turns), None);
    }

    #[test]
    fn nobody_is_removed_while_the_voters_are_changed_and_the_time_goes_on() {
        let silent = group(&[1, 2, 3, 4], &[], &[1, 2, 3]);
        let changing = Group { changing: true, ..silent.clone() };
        let gone = |count, led| hours(count, Standing::Failed, Some(led));
        assert_eq!(removed(gone(500, &changing)), None);
        assert_eq!(
            removed(gone(71, &silent).chain(gone(3, &changing)).chain(gone(9, &silent))),
            Some(74)
        );
    }

    #[test]
    fn a_dead_voter_stays_while_too_few_would_and_goes_when_there_are_enough() {
        let three = group(&[1, 2, 4], &[], &[1, 2]);
        let poor = group(&[1, 2, 3, 4, 5], &[], &[1, 2]);
        let enough = group(&[1, 2, 3, 4], &[], &[1, 2, 3]);
        let gone = |count, led| hours(count, Standing::Failed, Some(led));
        assert_eq!(removed(gone(500, &three)), None, "three found a group");
        assert_eq!(removed(gone(500, &poor)), None, "of the four that would stay, two answer");
        // Its time was over long ago when somebody has taken its place.
        assert_eq!(removed(gone(500, &three).chain(gone(9, &enough))), Some(500));
    }

    fn gone(voters: &[u64], learners: &[u64], active: &[u64], gone: &[u64]) -> Option<u64> {
        let group = group(voters, learners, active);
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
