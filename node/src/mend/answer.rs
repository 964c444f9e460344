//! Helping a member that mends its log: a replica that runs answers from its own.

use alloc::vec::Vec;

use protocol::raft::{Body, Mend, Message, Role};
use protocol::{Entry, NodeId, Position};

use crate::node::Node;
use crate::output::Output;

/// The most bytes of commands in one answer, unless one entry has more.
const ANSWER_BYTES: usize = 1 << 20;

/// Looks for entries in a log by `find`: those that are there, as many as one answer holds, and
/// those that are not.
pub fn gather(
    wanted: Vec<Position>,
    mut find: impl FnMut(Position) -> Option<Entry>,
) -> (Vec<Entry>, Vec<Position>) {
    let (mut entries, mut absent, mut bytes) = (Vec::new(), Vec::new(), 0);
    for position in wanted {
        if bytes >= ANSWER_BYTES {
            break;
        }
        match find(position) {
            Some(entry) => {
                bytes += entry.payload.bytes().len();
                entries.push(entry);
            }
            None => absent.push(position),
        }
    }
    (entries, absent)
}

impl Node {
    /// A member that mends its log asks for entries, or answers somebody who did before this
    /// replica began.
    pub(crate) fn mend_word(&mut self, from: NodeId, word: Mend) {
        match word {
            Mend::Ask { life, wanted } => self.output(Output::Look { peer: from, life, wanted }),
            Mend::Reply { .. } => {}
        }
    }

    /// The log was looked through for a member that mends its own.
    pub(crate) fn mend_found(
        &mut self,
        to: NodeId,
        life: u64,
        entries: Vec<Entry>,
        absent: Vec<Position>,
    ) {
        let core = self.core();
        let leads = (core.role() == Role::Leader).then(|| core.last());
        let term = core.term();
        let body = Body::Mend(Mend::Reply { life, entries, absent, leads });
        self.output(Output::Send { to, message: Message { term, body }.into() });
    }
}
