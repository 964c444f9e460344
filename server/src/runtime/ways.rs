//! The driver's ways to other members: the mesh between the node and the links.
//!
//! ```text
//! node ──Send──▶ mesh ──▶ link to the member, or to one that passes it on
//! node ◀─Receive─ mesh ◀── links of the others; what is for a third member leaves again
//! ```
//!
//! Laws:
//!
//! - what was passed on to this member is judged before it comes here (`peers/accept.rs`), as the
//!   greeting of its origin would be;
//! - the node never learns which way a message took.
//!
//! A member that mends its log has no mesh yet: it answers whoever asks directly.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use node::Message;
use prometheus_client::metrics::counter::Counter;
use protocol::mesh::{Config, Input, Mesh, Output, Packet};
use protocol::raft::Membership;
use protocol::{NodeId, Time};

use super::peers::{Identity, Links};
use crate::api::metrics::WayMetrics;

/// Ways to the other members.
#[derive(Debug)]
pub(crate) struct Ways {
    me: NodeId,
    mesh: Mesh<Message>,
    metrics: WayMetrics,
    /// The other members, and how many messages to each took another way.
    others: BTreeMap<NodeId, Counter>,
    silent: BTreeSet<NodeId>,
    /// Which of them are reached over which others.
    detours: BTreeMap<NodeId, NodeId>,
}

impl Ways {
    /// No ways yet.
    pub(crate) fn new(me: Identity, heartbeat: Duration, metrics: WayMetrics) -> Self {
        let Identity { id, incarnation, .. } = me;
        let mesh = Mesh::new(Config::usual(id, incarnation, heartbeat));
        let (others, silent, detours) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { me: id, mesh, metrics, others, silent, detours }
    }

    /// These are the members from now on.
    pub(crate) fn keep_to(&mut self, now: Time, membership: &Membership) {
        let members = membership.members();
        let metrics = &self.metrics;
        self.others.retain(|id, _| {
            let stays = members.contains(id);
            if !stays {
                metrics.forget(*id);
            }
            stays
        });
        for &id in members.iter().filter(|id| **id != self.me) {
            self.others.entry(id).or_insert_with(|| metrics.detoured(id));
        }
        self.mesh.handle(now, Input::Members(members));
        self.silent = self.mesh.silent().collect();
        self.observe();
    }

    fn observe(&self) {
        self.metrics.observe(self.others.keys().map(|id| (*id, !self.silent.contains(id))));
    }

    /// Says something to a member, by the way that there is.
    pub(crate) fn send(&mut self, now: Time, links: &mut Links, to: NodeId, message: Message) {
        let once = message.is_said_once();
        self.mesh.handle(now, Input::Send { to, message, once });
        // What is sent is delivered nowhere here.
        while self.poll(links).is_some() {}
    }

    /// A packet came in. To be polled then.
    pub(crate) fn arrived(&mut self, now: Time, from: NodeId, packet: Packet<Message>) {
        self.mesh.handle(now, Input::Arrived { from, packet });
    }

    /// The last link of a member that was heard broke.
    pub(crate) fn broke(&mut self, now: Time, peer: NodeId, links: &mut Links) {
        self.mesh.handle(now, Input::Down(peer));
        while self.poll(links).is_some() {}
    }

    /// When to call [`Ways::timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.mesh.poll_timeout()
    }

    /// Says hello when it is time.
    pub(crate) fn timeout(&mut self, now: Time, links: &mut Links) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.mesh.handle(now, Input::Timeout);
            while self.poll(links).is_some() {}
            self.tell();
        }
    }

    /// Hands packets to the links up to the first message for this member, with who said it.
    pub(crate) fn poll(&mut self, links: &mut Links) -> Option<(NodeId, Message)> {
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::Deliver { from, message } => return Some((from, message)),
                Output::Transmit { to, packet } => self.transmit(links, to, &packet),
            }
        }
        None
    }

    fn transmit(&mut self, links: &mut Links, to: NodeId, packet: &Packet<Message>) {
        let bytes = links.push(to, packet);
        let Packet::Relayed { origin, target, .. } = packet else { return };
        if *origin != self.me {
            self.metrics.relayed.inc();
            self.metrics.relayed_bytes.inc_by(bytes as u64);
        } else if let Some(detoured) = self.others.get(target) {
            detoured.inc();
        }
    }

    /// Tells operators what has changed.
    fn tell(&mut self) {
        let silent: BTreeSet<NodeId> = self.mesh.silent().collect();
        if silent != self.silent {
            self.silent = silent;
            self.observe();
        }
        let detours: BTreeMap<NodeId, NodeId> = self.mesh.detours().collect();
        let before = std::mem::replace(&mut self.detours, detours.clone());
        for (&to, &over) in before.iter().filter(|(to, over)| detours.get(to) != Some(over)) {
            self.metrics.straight(to, over);
        }
        for (to, over) in &detours {
            if before.get(to) != Some(over) {
                self.metrics.detour(*to, *over);
                tracing::warn!(
                    %to, %over,
                    "a member does not hear this one, and is reached over another: check the \
                     network between the two"
                );
            }
        }
        for to in before.keys().filter(|to| !detours.contains_key(to)) {
            tracing::info!(%to, "a member is reached directly again, or over nobody");
        }
    }
}
