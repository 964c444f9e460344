//! Between clients and nodes.

use node::{Input, Reply, RequestId};
use store::BackendRead;
use store::watch::{StreamId, WatchResponse};

use super::World;
use crate::crowd::Act;
use crate::seen::{Place, Seen};

impl World {
    /// Everything that clients want to do now.
    pub(super) fn act(&mut self) {
        let mut acts = std::mem::take(&mut self.acts);
        self.crowd.act(self.now, &mut acts);
        let mut touched = 0_u64;
        for act in acts.drain(..) {
            touched |= 1 << self.carry(act);
        }
        self.acts = acts;
        for at in 0..self.machines.len() {
            if touched & (1 << at) != 0 {
                self.drain(at);
            }
        }
    }

    /// Hands one act to its node, and gives the node's place.
    fn carry(&mut self, act: Act) -> Place {
        let (at, input) = match act {
            Act::Request { at, id, request } => {
                if !self.machines[at].is_alive() {
                    self.crowd.unreachable(self.now, id);
                    return at;
                }
                self.eyes.see(self.now, &Seen::Asked { at, id, request: &request });
                (at, Input::Request { id, request })
            }
            Act::OpenWatch { at, stream } => {
                if !self.machines[at].is_alive() {
                    self.crowd.overrun(self.now, stream);
                    return at;
                }
                (at, Input::WatchOpen(stream))
            }
            Act::CreateWatch { at, stream, create } => (at, Input::WatchCreate { stream, create }),
            Act::CancelWatch { at, stream, id } => (at, Input::WatchCancel { stream, id }),
            Act::ProgressWatch { at, stream } => (at, Input::WatchProgress(stream)),
            Act::SentWatch { at, stream, bytes } => (at, Input::WatchSent { stream, bytes }),
            Act::CloseWatch { at, stream } => (at, Input::WatchClose(stream)),
        };
        self.feed(at, input);
        at
    }

    pub(super) fn replied(&mut self, at: Place, id: RequestId, reply: Reply) {
        let Self { crowd, machines, now, .. } = self;
        let Some(running) = machines[at].alive() else { return };
        crowd.replied(*now, id, reply, &mut |revision| running.backend.get(revision));
    }

    pub(super) fn watched(&mut self, at: Place, stream: StreamId, response: WatchResponse) {
        let Self { crowd, machines, now, .. } = self;
        let Some(running) = machines[at].alive() else { return };
        let fetch = &mut |revision| running.backend.get(revision);
        if !crowd.watched(*now, stream, response, fetch) {
            self.feed(at, Input::WatchClose(stream));
        }
    }
}
