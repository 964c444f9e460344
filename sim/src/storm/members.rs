//! Operators who change the members: what they wish, of whom, and where they ask for it.
//!
//! They know the members as far as anybody knows them to be committed, which others may be changing
//! right now; some wishes are plainly wrong. They never take the vote from the anchors, so that
//! those whose disks may be damaged are a minority of every configuration. Machines of newcomers
//! start before they are members, or later, or never; a machine whose member was removed does not
//! come back: the next one has another name.

use std::time::Duration;

use node::Request;
use protocol::NodeId;
use protocol::raft::Membership;
use store::MemberChange;

use super::Kind;
use super::strike::any_up;
use crate::draw::Draw;
use crate::seen::{Place, id, place};
use crate::world::World;

/// What two operators choose from.
const CHOICES: [Kind; 7] = [
    Kind::AddVoter,
    Kind::AddLearner,
    Kind::Promote,
    Kind::Demote,
    Kind::Remove,
    Kind::RemoveLeader,
    Kind::Replace,
];

/// An operator wishes; `None` when there is nobody to ask, or nothing to wish for.
pub(super) fn change(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    if kind != Kind::TwoOperators {
        return wish(world, kind).map(Some);
    }
    let mut both = || {
        let kind = world.storm.rng.one_of(&CHOICES);
        wish(world, kind)
    };
    let (one, other) = (both(), both());
    one.or(other).map(Some)
}

fn wish(world: &mut World, kind: Kind) -> Option<Place> {
    let members = world.committed_members().clone();
    let asked = whom_to_ask(world, &members)?;
    let change = match kind {
        Kind::AddVoter | Kind::AddLearner => {
            let (at, peer_urls) = newcomer(world)?;
            MemberChange::Add { id: id(at), peer_urls, voter: kind == Kind::AddVoter }
        }
        Kind::Promote => MemberChange::Promote { id: one_of(world, &members.learners)? },
        Kind::Demote => MemberChange::Demote { id: dispensable(world, &members)? },
        Kind::Remove => MemberChange::Remove { id: anybody(world, &members)? },
        Kind::RemoveLeader => {
            let leader = world.leader().filter(|at| !world.storm.anchors.contains(at))?;
            MemberChange::Remove { id: id(leader) }
        }
        Kind::Replace => {
            let old = dispensable(world, &members)?;
            let (at, peer_urls) = newcomer(world)?;
            MemberChange::Replace { old, id: id(at), peer_urls }
        }
        Kind::Readdress => {
            let whose = one_of(world, &members.members())?;
            let peer_urls = vec![format!("http://n{}:{}", whose.0, world.storm.rng.below(9_999))];
            MemberChange::Update { id: whose, peer_urls }
        }
        _ => return None,
    };
    world.ask(asked, Request::MemberChange(change));
    Some(asked)
}

/// Mostly a member that runs; sometimes one that is none, or none any more.
fn whom_to_ask(world: &mut World, members: &Membership) -> Option<Place> {
    let mut up = world.up();
    if world.storm.rng.percent(85) {
        up.retain(|at| members.contains(id(*at)));
    }
    if up.is_empty() { any_up(world) } else { Some(world.storm.rng.one_of(&up)) }
}

/// A machine whose member would be new, and its address. It starts by and by, unless it runs.
fn newcomer(world: &mut World) -> Option<(Place, Vec<String>)> {
    let known = world.eyes.invariants.ever_members();
    let fresh = |at: &Place| !known.contains(&id(*at));
    let fresh: Vec<Place> = (world.options.nodes..world.nodes()).filter(fresh).collect();
    let at = *fresh.first()?;
    let rng = &mut world.storm.rng;
    let (never, delay) = (rng.percent(8), Duration::from_millis(rng.below(5_000)));
    if !never {
        world.start_later(delay, at);
    }
    Some((at, vec![format!("http://n{}:2380", at + 1)]))
}

/// Any member that the cluster may do without; seldom somebody who is none.
fn anybody(world: &mut World, members: &Membership) -> Option<NodeId> {
    if world.storm.rng.percent(5) {
        let stranger = world.storm.rng.place(world.nodes() + 2);
        return (!world.storm.anchors.contains(&stranger)).then(|| id(stranger));
    }
    let anchors = &world.storm.anchors;
    let free = |it: &NodeId| !place(*it).is_some_and(|at| anchors.contains(&at));
    let free: Vec<NodeId> = members.members().into_iter().filter(free).collect();
    (!free.is_empty()).then(|| world.storm.rng.one_of(&free))
}

/// A voter that the cluster may do without.
fn dispensable(world: &mut World, members: &Membership) -> Option<NodeId> {
    let only = Membership::of(members.voters.iter().copied());
    let anchors = &world.storm.anchors;
    let free = |it: &NodeId| !place(*it).is_some_and(|at| anchors.contains(&at));
    let free: Vec<NodeId> = only.voters.into_iter().filter(free).collect();
    (!free.is_empty()).then(|| world.storm.rng.one_of(&free))
}

fn one_of(world: &mut World, ids: &std::collections::BTreeSet<NodeId>) -> Option<NodeId> {
    let ids: Vec<NodeId> = ids.iter().copied().collect();
    (!ids.is_empty()).then(|| world.storm.rng.one_of(&ids))
}
