//! Who is who, agreed before anybody has met: ids follow from names, addresses and the token.

use protocol::{ClusterId, NodeId};
use xxhash_rust::xxh3::xxh3_64;

use crate::config::InitialMember;

/// The id of a member: a hash of its name, its peer address and the cluster's token. Never 0,
/// which means "nobody" on the wire.
pub(crate) fn member_id(member: &InitialMember, token: &str) -> NodeId {
    NodeId(hash(&[token, &member.name, &member.peer]))
}

/// The id of a cluster: a hash of its members' ids, in ascending order, and the token.
pub(crate) fn cluster_id(members: &[InitialMember], token: &str) -> ClusterId {
    let mut ids: Vec<String> =
        members.iter().map(|member| member_id(member, token).to_string()).collect();
    ids.sort_unstable();
    let parts: Vec<&str> = std::iter::once(token).chain(ids.iter().map(String::as_str)).collect();
    ClusterId(hash(&parts))
}

/// A hash of a cluster's token, by which a newcomer shows that it means this cluster.
pub(crate) fn token_hash(token: &str) -> u64 {
    hash(&[token])
}

/// The id of a member that is to be added: a hash of where it is reached and of a number that
/// nobody draws twice.
pub(crate) fn new_member_id(peer_urls: &[String], salt: u64) -> NodeId {
    let salt = salt.to_string();
    let parts: Vec<&str> =
        std::iter::once(salt.as_str()).chain(peer_urls.iter().map(String::as_str)).collect();
    NodeId(hash(&parts))
}

/// Each part behind its length, so that no two lists of parts look alike.
fn hash(parts: &[&str]) -> u64 {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    xxh3_64(&bytes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, peer: &str) -> InitialMember {
        InitialMember { name: name.into(), peer: peer.into() }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter_and_everything_else_does() {
        let (a, b) = (member("a", "h:1"), member("b", "h:2"));
        let id = cluster_id(&[a.clone(), b.clone()], "t");
        assert_eq!(id, cluster_id(&[b.clone(), a.clone()], "t"));
        assert_ne!(id, cluster_id(&[a.clone(), b.clone()], "u"));
        assert_ne!(id, cluster_id(&[a.clone(), member("b", "h:3")], "t"));
        assert_ne!(member_id(&a, "t"), member_id(&b, "t"));
    }

    #[test]
    fn parts_that_join_to_the_same_text_differ() {
        assert_ne!(member_id(&member("ab", "c"), "t"), member_id(&member("a", "bc"), "t"));
    }

    #[test]
    fn ids_stay_what_they_are_from_version_to_version() {
        assert_eq!(member_id(&member("a", "127.0.0.1:2380"), "conclave").0, FROZEN);
    }

    /// On disk and on the wire since version 0.1: to change it is to lose every data directory.
    const FROZEN: u64 = 3_598_555_647_759_979_611;
}
