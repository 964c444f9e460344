//! What the driver does about members: links, who may speak, who may join.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use node::{Node, Reply};
use protocol::raft::Membership;
use protocol::{ClusterId, Index, NodeId};
use store::{MemberChange, MemberTable, Seat};
use tokio::sync::oneshot;

use super::identity::new_member_id;
use super::open::random;
use super::peers::{Admission, Ask, JoinRequest, Links, Peer, Roster};
use super::register::Register;

/// Members that may have been added and not started: nobody is added from the pool beyond. Whoever
/// knows the token can ask for a seat, and shows nothing else.
const UNSTARTED: usize = 4;

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
    pub(crate) register: Register,
    /// How many had been removed when the roster was last told.
    removed: usize,
    /// Who is to be replaced, as was last wished for here, and where the answer will be.
    replacing: Option<(NodeId, oneshot::Receiver<Reply>)>,
    /// Whether whoever comes from the pool is added.
    pub(crate) is_open: bool,
    /// Who is to be added, as was last wished for here, and where the answer will be.
    adding: Option<(String, oneshot::Receiver<Reply>)>,
}

/// A change that is to be wished for on behalf of a newcomer, and where the answer goes.
pub(crate) type Wish = (MemberChange, oneshot::Sender<Reply>);

impl Members {
    pub(crate) fn new(
        (cluster, me): (ClusterId, NodeId),
        token: u64,
        founders: Vec<Peer>,
        (roster, register): (Roster, Register),
        learner: Arc<AtomicBool>,
    ) -> Self {
        let (removed, replacing, is_open, adding) = (0, None, false, None);
        Self {
            me,
            cluster,
            token,
            founders,
            roster,
            learner,
            register,
            removed,
            replacing,
            is_open,
            adding,
        }
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
            let gone = node.store().removed().collect::<BTreeSet<_>>();
            self.register.forget(&gone);
            self.roster.removed(gone);
        }
    }

    /// Answers a newcomer by what has been applied here. May give a wish on its behalf.
    pub(crate) fn admit(&mut self, node: &Node, request: JoinRequest) -> Option<Wish> {
        let JoinRequest { ask, present, answer } = request;
        let (admission, seat) = self.admission(node, &ask, &present);
        let told = admission.explain(&ask.address);
        tracing::info!(address = ask.address, "a newcomer asks to join, and is told: {told}");
        // It may have gone, and will ask again.
        let _ = answer.send(admission);
        if admission == Admission::Waiting && seat.is_none() {
            if unstarted(node) >= UNSTARTED {
                tracing::warn!(
                    address = ask.address,
                    "not added: {UNSTARTED} members were added that have not started. Start them, \
                     or remove them: `conclave member list`, `conclave member remove`"
                );
                return None;
            }
            return self.add(ask.address);
        }
        let (old, seat) = seat.filter(|_| admission == Admission::Waiting)?;
        if !self.may_wish(old) {
            return None;
        }
        tracing::warn!(%old, address = ask.address,
            "the member at this address has lost what it knew: it is to be replaced by a new one");
        let id = new_member_id(&seat.peer_urls, random());
        let (sender, receiver) = oneshot::channel();
        self.replacing = Some((old, receiver));
        Some((MemberChange::Replace { old, id, peer_urls: seat.peer_urls }, sender))
    }

    /// A seat for whoever came from the pool, unless one is wished for: one at a time.
    fn add(&mut self, address: String) -> Option<Wish> {
        if let Some((wished, answer)) = &mut self.adding {
            match answer.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return None,
                Ok(Reply { body: Err(failure), .. }) => {
                    tracing::info!(address = %wished, ?failure, "a server was not added yet");
                }
                Ok(_) | Err(_) => {}
            }
        }
        tracing::info!(address, "a server has come from the pool: it is added as a new member");
        let peer_urls = vec![format!("http://{address}")];
        let id = new_member_id(&peer_urls, random());
        let (sender, receiver) = oneshot::channel();
        self.adding = Some((address, receiver));
        Some((MemberChange::Add { id, peer_urls, voter: true }, sender))
    }

    /// Whether there is no wish under way for this member.
    fn may_wish(&mut self, old: NodeId) -> bool {
        let Some((wished, answer)) = &mut self.replacing else { return true };
        match answer.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => *wished != old,
            Ok(Reply { body: Err(failure), .. }) => {
                tracing::warn!(old = %wished, ?failure, "a member was not replaced yet");
                true
            }
            Ok(_) | Err(oneshot::error::TryRecvError::Closed) => true,
        }
    }

    /// What a newcomer is told, and the seat that it means.
    fn admission(
        &self,
        node: &Node,
        ask: &Ask,
        present: &BTreeSet<NodeId>,
    ) -> (Admission, Option<(NodeId, Seat)>) {
        if ask.token != self.token {
            return (Admission::Token, None);
        }
        let Some((id, seat)) = self.seat_at(node, &ask.address) else {
            let may = self.is_open && ask.may_be_added && node.store().applied().index > Index(0);
            let is_added = may && address_of(&format!("http://{}", ask.address)).is_some();
            return (if is_added { Admission::Waiting } else { Admission::Unknown }, None);
        };
        let has_started =
            id == self.me || node.store().members().any(|it| it.id == id && !it.name.is_empty());
        let lost = self.register.refutes(id, ask.life.as_ref());
        let admission = if lost && present.contains(&id) {
            Admission::Taken
        } else if lost && ask.may_replace {
            Admission::Waiting
        } else if has_started || lost {
            Admission::Started
        } else {
            Admission::Welcome(self.cluster, id)
        };
        (admission, Some((id, seat)))
    }

    /// The seat at an address. While its member is being replaced there are two: the new one's.
    fn seat_at(&self, node: &Node, address: &str) -> Option<(NodeId, Seat)> {
        let seats = match node.store().membership() {
            Some(membership) => MemberTable::of(membership).unwrap_or_default().seats,
            None => BTreeMap::new(),
        };
        let at = |seat: &Seat| seat.peer_urls.iter().any(|url| address_of(url) == Some(address));
        let all: Vec<(NodeId, Seat)> = seats.into_iter().filter(|(_, seat)| at(seat)).collect();
        let goes = |id: NodeId| all.iter().any(|(_, seat)| seat.replaces == Some(id));
        if let Some(found) = all.iter().find(|(id, _)| !goes(*id)) {
            return Some(found.clone());
        }
        // No configuration has been applied yet: those of the settings hold.
        let founder = self.founders.iter().find(|peer| peer.address == address)?;
        let told = node.store().membership().is_some();
        let seat = Seat {
            part: store::Part::Voter,
            replaces: None,
            peer_urls: vec![format!("http://{address}")],
        };
        (!told).then_some((founder.id, seat))
    }
}

/// How many members were added and have told nothing of themselves yet.
fn unstarted(node: &Node) -> usize {
    let Some(membership) = node.store().membership() else { return 0 };
    let told: BTreeSet<NodeId> = node.store().members().map(|it| it.id).collect();
    membership.learners.iter().filter(|id| !told.contains(id)).count()
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
