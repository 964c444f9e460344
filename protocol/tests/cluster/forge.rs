//! Nonsense from peers: messages that break a law by themselves, so that a correct node must see
//! through them. What only a liar could say is not among them.

use protocol::raft::{Body, Entry, Message, Rejection};
use protocol::{Index, Position, Term};

use crate::world::World;

impl World {
    /// The message, or another in its stead.
    pub(crate) fn forged(&mut self, message: Message) -> Message {
        let huge = u64::MAX - self.rng.below(3);
        let Message { term, body } = message;
        let gap = |entries: &[Entry]| {
            let mut entries = entries.to_vec();
            if let Some(last) = entries.last_mut() {
                last.position.index.0 = last.position.index.0.wrapping_add(1);
            }
            entries
        };
        let body = match (self.rng.below(4), body) {
            (0, Body::Append { entries, commit, trim, .. }) => {
                let base = Position::new(Term(1), Index(huge));
                Body::Append { base, entries, commit, trim }
            }
            (1, Body::Append { base, entries, commit, trim }) => {
                let base = Position::new(Term(base.term.0 + term.0 + 1), base.index);
                Body::Append { base, entries, commit, trim }
            }
            (_, Body::Append { base, entries, commit, trim }) if !entries.is_empty() => {
                Body::Append { base, entries: gap(&entries), commit, trim }
            }
            (_, Body::AppendAccepted { .. }) => Body::AppendAccepted { matched: Index(huge) },
            (_, Body::HeartbeatReply { .. }) => Body::HeartbeatReply { round: huge },
            (_, Body::AppendRejected(_)) => Body::AppendRejected(Rejection {
                base: Index(huge),
                conflict: Some(Position::new(Term(huge), Index(0))),
                last: Position::new(Term(huge), Index(huge)),
            }),
            (choice, Body::Snapshot { last, data, done, .. }) => {
                let ahead = Position::new(Term(huge), last.index);
                let beyond = Position::new(last.term, Index(huge));
                let last = if choice == 0 { ahead } else { beyond };
                Body::Snapshot { last, number: huge, data, done }
            }
            (_, Body::SnapshotReply { last, .. }) => Body::SnapshotReply { last, next: Some(huge) },
            (0, body) => return Message { term: Term(huge), body },
            (_, body) => body,
        };
        Message { term, body }
    }
}
