//! What waits for the disk.

use alloc::collections::VecDeque;

use super::boundary::WriteId;
use super::message::Message;
use crate::NodeId;

/// Messages that wait for a disk; of more, the oldest are dropped, as a network might.
const HELD: usize = 256;

/// Writes under way and what depends on them. Laws:
///
/// - what is durable was issued;
/// - nothing is held that depends on nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Writes {
    issued: u64,
    durable: u64,
    held: VecDeque<(u64, NodeId, Message)>,
}

impl Writes {
    /// A new write.
    pub(super) const fn issue(&mut self) -> WriteId {
        self.issued += 1;
        WriteId(self.issued)
    }

    /// The write that all so far depends on, while it is under way.
    pub(super) const fn pending(&self) -> Option<WriteId> {
        if self.issued > self.durable { Some(WriteId(self.issued)) } else { None }
    }

    /// Keeps a message until all writes so far are durable.
    pub(super) fn hold(&mut self, to: NodeId, message: Message) {
        if self.held.len() == HELD {
            self.held.pop_front();
        }
        self.held.push_back((self.issued, to, message));
    }

    /// Everything up to here is durable; `false` when that is no news.
    pub(super) const fn acknowledge(&mut self, id: WriteId) -> bool {
        let is_news = id.0 > self.durable && id.0 <= self.issued;
        if is_news {
            self.durable = id.0;
        }
        is_news
    }

    /// The next message that nothing keeps any more.
    pub(super) fn release(&mut self) -> Option<(NodeId, Message)> {
        let ready = self.held.front().is_some_and(|(write, ..)| *write <= self.durable);
        let (_, to, message) = self.held.pop_front_if(|_| ready)?;
        Some((to, message))
    }

    /// Forgets how many writes there have been, when none is under way.
    #[cfg(feature = "explore")]
    pub(super) fn forget_history(&mut self) {
        if self.issued == self.durable {
            (self.issued, self.durable) = (0, 0);
        }
    }

    pub(super) fn assert_invariants(&self) {
        assert!(self.durable <= self.issued, "what is durable was issued");
        assert!(self.held.iter().all(|(write, ..)| *write > self.durable), "what is held waits");
    }
}
