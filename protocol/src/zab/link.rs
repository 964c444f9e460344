//! Links to peers, and the sessions that end with them.

use super::boundary::{Abandon, Generation, Output};
use super::message::Message;
use super::{State, Zab};
use crate::NodeId;

impl Zab {
    pub(super) fn on_link_up(&mut self, peer: NodeId, generation: Generation) {
        if !self.config.is_peer(peer) {
            return self.drop_message();
        }
        if self.links.remove(&peer).is_some_and(|earlier| earlier != generation) {
            self.session_ended(peer);
        }
        self.links.insert(peer, generation);
        match &self.state {
            State::Looking(_) => self.notify(peer),
            State::Following(learner) if learner.leader == peer => self.knock(),
            State::Following(_) | State::Leading(_) | State::Draining => {}
        }
    }

    pub(super) fn on_link_down(&mut self, peer: NodeId, generation: Generation) {
        if self.links.get(&peer) == Some(&generation) {
            self.links.remove(&peer);
            self.session_ended(peer);
        }
    }

    /// What ran on the link to `peer` is over.
    fn session_ended(&mut self, peer: NodeId) {
        match &mut self.state {
            State::Leading(_) => self.forget_learner(peer),
            State::Following(learner) if learner.leader == peer && learner.has_begun() => {
                self.abandon(Abandon::LinkLost);
            }
            State::Following(_) | State::Looking(_) | State::Draining => {}
        }
    }

    /// Ends the link to `peer`, and with it the session: what is on its way must not arrive.
    pub(super) fn reset(&mut self, peer: NodeId) {
        if let Some(generation) = self.links.remove(&peer) {
            self.outbox.push_back(Output::Reset { peer, generation });
        }
        if matches!(self.state, State::Leading(_)) {
            self.forget_learner(peer);
        }
    }

    /// Sends on the link as it is; without one, there is nobody to hear.
    pub(super) fn send(&mut self, to: NodeId, message: Message) {
        if let Some(&generation) = self.links.get(&to) {
            self.outbox.push_back(Output::Send { to, generation, message });
        }
    }

    /// A learner's word to its leader.
    pub(super) fn tell_leader(&mut self, message: Message) {
        if let State::Following(learner) = &self.state {
            self.send(learner.leader, message);
        }
    }
}
