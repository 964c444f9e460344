//! What the driver does about members: links, who may speak, who may join.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use node::Node;
use protocol::raft::Membership;
use protocol::{ClusterId, Index, NodeId};
use store::MemberTable;

use super::peers::{Admission, JoinRequest, Links, Peer, Roster};

/// The driver's knowledge of the members.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) me: NodeId,
    pub(crate) cluster: ClusterId,
    /// A hash of the cluster's token.
    pub(crate) token: u64,
    /// The members that this process was started with, which count while no configuration has a
    /// table.
    pub(crate) founders: Vec<Peer>,
    pub(crate) roster: Roster,
    /// Whether this member has no vote, for the APIs.
    pub(crate) learner: Arc<AtomicBool>,
    /// How many had been removed when the roster was last told.
    removed: usize,
}

impl Members {
    pub(crate) fn new(
        (cluster, me): (ClusterId, NodeId),
        token: u64,
        founders: Vec<Peer>,
        roster: Roster,
        learner: Arc<AtomicBool>,
    ) -> Self {
        Self { me, cluster, token, founders, roster, learner, removed: 0 }
    }

    /// Another configuration is in force.
    pub(crate) fn changed(
        &self,
        at: Index,
        membership: &Membership,
        (node, links): (&Node, &mut Links),
    ) {
        let mut addresses = self.addresses(membership);
        self.roster.changed(at, membership, addresses.remove(&self.me));
        self.learner.store(!membership.voters.contains(&self.me), Ordering::Relaxed);
        let name = |id| {
            let told = node.store().members().find(|member| member.id == id);
            told.map_or_else(|| id.to_string(), |member| member.name.clone())
        };
        let peer = |(id, address)| Peer { id, name: name(id), address };
        links.keep_to(addresses.into_iter().map(peer).collect());
    }

    /// Where members are reached.
    fn addresses(&self, membership: &Membership) -> BTreeMap<NodeId, String> {
        let table = MemberTable::of(membership).unwrap_or_default().seats;
        let founders = self.founders.iter().map(|peer| (peer.id, peer.address.clone()));
        // A voter on its way out has no seat any more, and is known from before.
        let members = founders.filter(|(id, _)| membership.contains(*id));
        let mut addresses: BTreeMap<NodeId, String> = members.collect();
        for (id, seat) in table {
            if let Some(address) = seat.peer_urls.first().and_then(|url| address_of(url)) {
                addresses.insert(id, address.to_owned());
            }
        }
        addresses
    }

    /// Tells the roster who was removed, when that has changed.
    pub(crate) fn watch_removals(&mut self, node: &Node) {
        let removed = node.store().removed_count();
        if removed != self.removed {
            self.removed = removed;
            self.roster.removed(node.store().removed().collect::<BTreeSet<_>>());
        }
    }

    /// Answers a newcomer by what has been applied here.
    pub(crate) fn admit(&self, node: &Node, request: JoinRequest) {
        let admission = self.admission(node, request.token, &request.address);
        tracing::info!(address = request.address, ?admission, "a newcomer asks to join");
        // It may have gone, and will ask again.
        let _ = request.answer.send(admission);
    }

    fn admission(&self, node: &Node, token: u64, address: &str) -> Admission {
        if token != self.token {
            return Admission::Token;
        }
        let Some(membership) = node.store().membership() else { return Admission::Unknown };
        let table = MemberTable::of(membership).unwrap_or_default();
        let has_started = |id: NodeId| {
            id == self.me || node.store().members().any(|it| it.id == id && !it.name.is_empty())
        };
        let mut found = Admission::Unknown;
        for (&id, seat) in &table.seats {
            if seat.peer_urls.iter().any(|url| address_of(url) == Some(address)) {
                if !has_started(id) {
                    return Admission::Welcome(self.cluster, id);
                }
                found = Admission::Started;
            }
        }
        found
    }
}

/// The `host:port` of a peer URL; `None` for what cannot be dialled.
pub(crate) fn address_of(url: &str) -> Option<&str> {
    let address = url.strip_prefix("http://")?;
    let address = address.strip_suffix('/').unwrap_or(address);
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty() && !address.contains('/') && port.parse::<u16>().is_ok()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_url_is_http_with_a_host_and_a_port() {
        assert_eq!(address_of("http://h:1"), Some("h:1"));
        assert_eq!(address_of("http://[::1]:2380/"), Some("[::1]:2380"));
        for wrong in
            ["", "h:1", "https://h:1", "http://h", "http://:1", "http://h:1/x", "http://h:x"]
        {
            assert_eq!(address_of(wrong), None, "{wrong}");
        }
    }
}
