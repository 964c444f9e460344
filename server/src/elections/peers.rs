//! The other agents that elect, as the pool shows them.
//!
//! A member says with the tag `groups` in which groups it is: eight hexadecimal digits for each,
//! with commas between them. It tells whom to write to. What a candidate shows of itself is larger
//! than what a member may say of itself in the pool, so it goes in letters, to those that share the
//! group: to all when it changes, to whoever is new, and to a few in turn again and again, since
//! letters are lost.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::NodeId;
use protocol::bully::Standing;
use protocol::bully::wire::Group;
use protocol::swim::Address;
use protocol::swim::serf::Tags;
use xxhash_rust::xxh3::xxh3_64;

use super::candidate;
use crate::gossip::{self, PoolMember};

/// The tag.
const TAG: &str = "groups";

/// Another agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) address: Address,
    pub(super) standing: Standing,
    groups: BTreeSet<String>,
}

/// What a group is called in the tag.
pub(super) fn short(group: &Group) -> String {
    format!("{:08x}", xxh3_64(group.as_str().as_bytes()) & 0xffff_ffff)
}

impl Peer {
    pub(super) fn is_in(&self, group: &Group) -> bool {
        self.groups.contains(&short(group))
    }
}

/// Those who elect, but this one; and what this one says in its tag.
pub(super) fn of(members: &[PoolMember], own: &str) -> (BTreeMap<NodeId, Peer>, Option<String>) {
    let (mut peers, mut ours) = (BTreeMap::new(), None);
    for member in members {
        let groups = member.tags().into_iter().find(|(name, _)| name == TAG);
        let Some((_, groups)) = groups else { continue };
        let name = member.name().to_string();
        if name == own {
            ours = Some(groups);
            continue;
        }
        let standing = match member.standing {
            gossip::Standing::Alive => Standing::Alive,
            gossip::Standing::Suspect => Standing::Suspect,
            gossip::Standing::Failed | gossip::Standing::Left => Standing::Failed,
        };
        let groups = groups.split(',').map(str::to_owned).collect();
        let peer = Peer { address: member.address(), standing, groups, name };
        peers.insert(candidate(&peer.name), peer);
    }
    (peers, ours)
}

/// What the tag of an agent in these groups says; `None` when it is in none.
pub(super) fn tag<'a>(groups: impl Iterator<Item = &'a Group>) -> Option<String> {
    let groups: BTreeSet<String> = groups.map(short).collect();
    let text = groups.into_iter().collect::<Vec<_>>().join(",");
    (!text.is_empty()).then_some(text)
}

/// The same tags with this one.
pub(super) fn with_tag(mut tags: Tags, text: Option<String>) -> Tags {
    match text {
        Some(text) => tags.0.insert(Bytes::from(TAG), Bytes::from(text)),
        None => tags.0.remove(TAG.as_bytes()),
    };
    tags
}
