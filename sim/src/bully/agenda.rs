//! What is going to happen, in order.

use std::collections::BTreeMap;

use protocol::NodeId;
use protocol::bully::message::Message;
use protocol::bully::{Epoch, Input};

/// Something that happens to somebody.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// A timer of this setting.
    Wake { who: usize, setting: u64 },
    /// A datagram arrives.
    Deliver { to: usize, from: NodeId, message: Message },
    /// The oldest write of this life becomes durable.
    Synced { who: usize, life: u64 },
    /// The program has stopped acting for an epoch.
    Stopped { who: usize, life: u64, epoch: Epoch },
    /// A process starts.
    Start { who: usize },
    /// A process goes on.
    Resume { who: usize, pause: u64 },
    /// The next strike of the storm.
    Strike,
    /// The pool has a round of gossip.
    Gossip,
}

/// A process takes this in when it runs.
pub(super) type Waiting = Vec<Input>;

/// Events by time; those of one time in the order in which they were noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    events: BTreeMap<(u64, u64), Event>,
    noted: u64,
}

impl Agenda {
    pub(super) fn note(&mut self, at: u64, event: Event) {
        self.noted += 1;
        self.events.insert((at, self.noted), event);
    }

    /// The next event, when it comes no later than this.
    pub(super) fn next(&mut self, until: u64) -> Option<(u64, Event)> {
        let first = self.events.first_entry().filter(|first| first.key().0 <= until)?;
        let ((at, _), event) = first.remove_entry();
        Some((at, event))
    }
}
