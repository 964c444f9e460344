//! What came over another member: whether it is believed.
//!
//! A link is judged once, when it is made; what takes another way is judged packet by packet, by
//! the rules of a link of its origin's own:
//!
//! - a relay passes on what its own neighbour says, as the process that the link has shown to be
//!   there; nothing that came over somebody else;
//! - the target hears its origin only while the configurations and the state that it knows itself
//!   let that member speak, whatever the relay knows;
//! - the process that said it is the newest that is known of its member: it was welcomed here, or
//!   by somebody who has told so, with a life that goes on from what this member knows. So what a
//!   relay knows less of lives (`node::Life`) counts for nothing here;
//! - two processes never speak for one member: while one is heard, on whatever way, another one
//!   is not, and after that only once it was silent for as long as links wait.
//!
//! The cluster need not be told: relay and target have shown it to each other, and so have relay
//! and origin.

use node::Message;
use protocol::mesh::Packet;

use super::accept::Acceptor;
use super::handshake::Identity;

impl Acceptor {
    /// Whether a packet that came on a link of `from` may go on to the driver.
    pub(super) fn believes(&self, from: Identity, packet: &Packet<Message>) -> bool {
        let Packet::Relayed { origin, target, life, .. } = packet else { return true };
        let believed = if *origin == from.id {
            *life == from.incarnation
        } else {
            *target == self.me.id
                && self.roster.hears(*origin)
                && self.register.is_run(*origin, *life)
                && self.heard_over(*origin, *life)
        };
        if !believed {
            self.refused.inc();
        }
        believed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use node::{Acquaintances, Life};
    use prometheus_client::metrics::counter::Counter;
    use protocol::raft::{self, Body};
    use protocol::{ClusterId, NodeId, Term};
    use tokio::sync::mpsc;

    use super::super::Roster;
    use super::*;
    use crate::api::metrics::Metrics;
    use crate::runtime::register::Register;

    const ME: Identity = Identity { cluster: ClusterId(1), id: NodeId(1), incarnation: 0 };
    const RELAY: Identity = Identity { cluster: ClusterId(1), id: NodeId(2), incarnation: 7 };

    fn acceptor(silence: Duration) -> (std::sync::Arc<Acceptor>, Roster) {
        let (messages, _queue) = mpsc::channel(1);
        let roster = Roster::new(ME.id, String::new(), [1, 2, 3].map(NodeId).into());
        let metrics = (Metrics::default().peers().clone(), Counter::default());
        let register = Register::open(None, 0, || 0).unwrap();
        let us = (ME, roster.clone(), register);
        (Acceptor::new(us, messages, silence, metrics), roster)
    }

    /// A process is welcomed as a member, on a directory that has not changed.
    async fn meet(acceptor: &Acceptor, who: u64, life: &mut Life, nonce: u64) {
        life.start(nonce);
        let nobody = Acquaintances::default();
        acceptor.register.meet(NodeId(who), life, &nobody).await.unwrap();
    }

    fn relayed(origin: u64, target: u64, life: u64) -> Packet<Message> {
        let message = raft::Message { term: Term(1), body: Body::TimeoutNow }.into();
        Packet::Relayed { origin: NodeId(origin), target: NodeId(target), life, message }
    }

    #[test]
    fn a_relay_passes_on_what_its_neighbour_says_and_nothing_else() {
        let (acceptor, _) = acceptor(Duration::from_secs(60));
        assert!(acceptor.believes(RELAY, &relayed(2, 3, 7)));
        assert!(!acceptor.believes(RELAY, &relayed(2, 3, 8)), "another process of that member");
        assert!(!acceptor.believes(RELAY, &relayed(3, 4, 7)), "it has been passed on");
        assert_eq!(acceptor.refused.get(), 2);
    }

    #[tokio::test]
    async fn who_was_removed_or_is_not_known_is_not_heard_over_others() {
        let (acceptor, roster) = acceptor(Duration::from_secs(60));
        assert!(!acceptor.believes(RELAY, &relayed(3, 1, 5)), "nobody has met that process");
        meet(&acceptor, 3, &mut Life::new(1), 5).await;
        meet(&acceptor, 4, &mut Life::new(2), 5).await;
        assert!(acceptor.believes(RELAY, &relayed(3, 1, 5)));
        assert!(!acceptor.believes(RELAY, &relayed(4, 1, 5)), "a stranger");
        roster.removed(BTreeSet::from([NodeId(3)]));
        assert!(!acceptor.believes(RELAY, &relayed(3, 1, 5)));
    }

    #[tokio::test]
    async fn of_two_processes_that_speak_for_one_member_the_newer_is_heard_once_the_other_is_not() {
        for (silence, heard) in [(Duration::from_secs(60), false), (Duration::ZERO, true)] {
            let (acceptor, _) = acceptor(silence);
            let mut life = Life::new(1);
            meet(&acceptor, 3, &mut life, 5).await;
            assert!(acceptor.believes(RELAY, &relayed(3, 1, 5)));
            assert!(!acceptor.believes(RELAY, &relayed(3, 1, 6)), "nobody has met it");
            meet(&acceptor, 3, &mut life, 6).await;
            assert_eq!(acceptor.believes(RELAY, &relayed(3, 1, 6)), heard);
            assert!(!acceptor.believes(RELAY, &relayed(3, 1, 5)), "it is known to be over");
        }
    }
}
